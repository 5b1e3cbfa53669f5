import { createServer } from 'node:http'

export interface HttpAnswer {
  readonly status: number
  readonly type: string
  readonly body: string
}

export interface HttpListener {
  readonly port: number
  close(): Promise<void>
}

/** Serves small GET requests. `answer`: undefined where there is no such path. Rejects where the address cannot be had. */
export function listenHttp(
  address: { readonly host: string; readonly port: number },
  answer: (path: string) => Promise<HttpAnswer | undefined>,
): Promise<HttpListener> {
  const notFound: HttpAnswer = { status: 404, type: 'text/plain', body: 'there is nothing here\n' }
  const notAllowed: HttpAnswer = { status: 405, type: 'text/plain', body: 'only GET\n' }
  const server = createServer({
    requestTimeout: 10_000, headersTimeout: 10_000, keepAliveTimeout: 5_000, maxHeaderSize: 8192,
  }, (request, response) => {
    const path = (request.url ?? '/').split('?', 1)[0]!
    const pending = request.method === 'GET' ? answer(path) : Promise.resolve(notAllowed)
    pending.then(
      (given) => send(given ?? notFound),
      (cause: unknown) => send({ status: 500, type: 'text/plain', body: `${String(cause)}\n` }),
    )
    const send = ({ status, type, body }: HttpAnswer) => {
      response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) })
      response.end(body)
    }
  })
  server.maxConnections = 64
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(address, () => {
      server.removeListener('error', reject)
      resolve({
        port: (server.address() as { port: number }).port,
        close: () => new Promise((closed) => {
          server.close(() => closed())
          server.closeAllConnections()
        }),
      })
    })
  })
}

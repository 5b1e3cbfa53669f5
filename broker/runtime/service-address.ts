/** Where a service is, as the settings write it: `NAME?endpoint=URL&region=REGION`, both of them optional. */
export interface ServiceAddress {
  readonly name: string
  readonly endpoint?: string
  readonly region?: string
}

/** Throws an Error whose message says what is allowed. */
export function parseServiceAddress(text: string): ServiceAddress {
  const [name = '', query = '', ...more] = text.split('?')
  if (more.length > 0) throw new Error('there is more than one ?')
  const parameters = new Map(new URLSearchParams(query))
  const endpoint = parameters.get('endpoint')
  const region = parameters.get('region')
  parameters.delete('endpoint')
  parameters.delete('region')
  const [unknown] = parameters.keys()
  if (unknown !== undefined) throw new Error(`only endpoint and region can follow the ?, not ${unknown}`)
  if (endpoint !== undefined && !isHttpUrl(endpoint)) throw new Error('the endpoint must be a URL such as http://127.0.0.1:4566')
  if (region !== undefined && !/^[a-z0-9-]+$/.test(region)) throw new Error('the region must be one such as eu-central-1')
  return { name, ...(endpoint === undefined ? {} : { endpoint }), ...(region === undefined ? {} : { region }) }
}

function isHttpUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined
  return url?.protocol === 'http:' || url?.protocol === 'https:'
}

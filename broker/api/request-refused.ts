/** The connection that sent this is closed. */
export class RequestRefused extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'RequestRefused'
  }
}

/** Structured logs: facts as fields, then a sentence. Never record keys, values or credentials. pino satisfies it. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** For tests. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} }

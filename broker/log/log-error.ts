/**
 * `quarantined`: the files contradict themselves and were left as they are. `stopped`: a sync failed, nothing is known any
 * more. `damaged`: a file that was good is not any more.
 */
export class LogError extends Error {
  readonly code: 'quarantined' | 'stopped' | 'damaged'
  readonly directory: string
  constructor(code: LogError['code'], directory: string, problem: string, cause?: unknown) {
    super(`${directory}: ${problem}`, { cause })
    this.name = 'LogError'
    this.code = code
    this.directory = directory
  }
}

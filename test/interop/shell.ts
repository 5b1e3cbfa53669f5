import { spawn } from 'node:child_process'
import { toolArguments } from '../../scripts/peer/kafka-tools.ts'

export interface Ran {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly input?: string
  /** It is killed then, and its status is null. */
  readonly limitSeconds?: number
}

export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    const output = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', (text: string) => (output[name] += text))
    const timer = setTimeout(() => child.kill('SIGKILL'), (options.limitSeconds ?? 60) * 1000)
    child.on('error', reject)
    child.on('close', (status) => {
      clearTimeout(timer)
      resolve({ status, ...output })
    })
    child.stdin.on('error', () => {})
    child.stdin.end(options.input ?? '')
  })
}

/** The output of a command that must succeed. */
export async function output(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const ran = await run(command, args, options)
  if (ran.status === 0) return ran.stdout
  throw new Error(`${command} ${args.slice(-12).join(' ')} ended with ${ran.status}\n${ran.stdout}${ran.stderr}`)
}

/** The output of one of Kafka's tools, which must succeed. */
export function tool(name: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  return output('java', toolArguments(name, args), options)
}

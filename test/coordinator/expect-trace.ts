import assert from 'node:assert/strict'

interface Script {
  run(script: string): Promise<string>
}

/**
 * Runs a transcript: lines that begin with `>` are done, the others are what must come of them. Answers that arrive
 * in the same moment may stand in either order.
 */
export function expectTrace<O>(begin: (options?: O) => Script): (transcript: string, options?: O) => Promise<void> {
  return async (transcript, options) => {
    const expected = transcript.trim().split('\n').map((line) => line.trim())
    const actual = (await begin(options).run(transcript)).split('\n').map((line) => line.trim())
    assert.equal(inOrder(actual), inOrder(expected))
  }
}

function inOrder(lines: readonly string[]): string {
  const steps: string[][] = []
  for (const line of lines) {
    if (line.startsWith('>')) steps.push([line])
    else steps.at(-1)?.push(line)
  }
  return steps.map(([command, ...answers]) => [command, ...answers.sort().map((answer) => `  ${answer}`)].join('\n')).join('\n')
}

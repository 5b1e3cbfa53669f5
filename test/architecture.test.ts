// What the reviewer should not have to look for: layers, sizes, what is forbidden outside of the runtime, and whether
// docs/architecture.md still speaks of this tree. Its scanner is shown bad samples first, so that it can fail.

import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { codeOf, functionsOf, importsOf, linesMatching } from './support/source-scan.ts'

const root = join(import.meta.dirname, '..')
const read = (file: string): string => readFileSync(join(root, file), 'utf8')
const filesOf = (...patterns: string[]): string[] => globSync(patterns, { cwd: root }).sort()

const broker = filesOf('broker/**/*.ts')
const everything = filesOf('broker/**/*.ts', 'sim/**/*.ts', 'faults/**/*.ts', 'model/**/*.ts', 'test/**/*.ts', 'scripts/**/*.{ts,mjs}', 'bench/**/*.ts')
const architecture = read('docs/architecture.md')

const linesMax = 400
const functionLinesMax = 50
const columnsMax = 140

/** The real machine may be touched here: composition roots, those of worker threads too. */
const machineFiles = [/^broker\/runtime\//, /^broker\/main\.ts$/, /^broker\/local-cluster\.ts$/, /^broker\/start\.ts$/, /-worker\.ts$/]
const machineCode = /\b(Date\.now|new Date\(\)|Math\.random|setTimeout|setInterval|setImmediate|process\.(env|hrtime|nextTick)|performance\.now)(?!\w)/
const machineModules = /^node:(fs|fs\/promises|net|tls|dns|crypto|http|https|worker_threads|child_process|os|timers|timers\/promises|perf_hooks)$/

/** File to module: the one reason why it may be imported there. */
const machineExceptions = new Map([
  ['broker/table/sqlite-thread.ts node:worker_threads', 'starts the thread in which SQLite runs; the simulator has memory-table'],
  ['broker/compaction/compaction-worker-client.ts node:worker_threads', 'starts the thread that compacts; the simulator has InProcessCompaction'],
  ['broker/tier/tier-worker-client.ts node:worker_threads', 'starts the thread of the tier; the simulator has InProcessTierIo'],
])

/** A dependency is used in one place, so that it can be replaced in one place. */
const packageHomes: readonly (readonly [name: RegExp, home: RegExp])[] = [
  [/^@aws-sdk\/client-dynamodb$/, /^broker\/table\/dynamodb-/],
  [/^@aws-sdk\/client-s3$|^@smithy\//, /^broker\/objects\//],
  [/^@node-rs\/crc32$/, /^broker\/protocol\/crc32c\.ts$/],
  [/^pino$/, /^broker\/(main|start|runtime\/.*)\.ts$/],
  [/^prom-client$/, /^broker\/(metrics|gauges|start)\.ts$/],
  [/^zod$/, /^broker\/(config|cluster\/.*)\.ts$/],
]

/** Name to reason. */
const longFunctions = new Map<string, string>()

describe('the scanner', () => {
  const bad = [
    'import { type Clock } from \'../runtime/clock.ts\'',
    'import { x } from \'../api/produce.ts\' // \'not/this.ts\'',
    'const name = \'Date.now()\'',
    'const pattern = /Date.now()/',
    'const text = `Math.random() ${Date.now()} setTimeout`',
    '/* setTimeout() */',
    'export async function long(',
    '  given: {',
    '    a: string',
    '  },',
    ') {',
    '  if (given) {',
    '  }',
    '}',
    'class Some {',
    '  async #method({ a }: {',
    '    readonly a: string',
    '  }): Promise<void> {',
    '    return () => {',
    '      a()',
    '    }',
    '  }',
    '}',
  ].join('\n')

  test('sees code, and neither comments nor strings', () => {
    assert.deepEqual(linesMatching(bad, /Date\.now/), [5])
    assert.deepEqual(linesMatching(bad, /Math\.random|setTimeout/), [])
    assert.equal(codeOf(bad).split('\n').length, bad.split('\n').length)
  })

  test('sees imports, and which of them are of types alone', () => {
    assert.deepEqual(importsOf(bad), [
      { from: '../runtime/clock.ts', line: 1, isTypeOnly: true },
      { from: '../api/produce.ts', line: 2, isTypeOnly: false },
    ])
  })

  test('measures functions with signatures of several lines', () => {
    assert.deepEqual(functionsOf(bad).map(({ name, lines }) => [name, lines]), [['long', 8], ['#method', 7]])
  })

  test('forbids what the runtime is there for', () => {
    for (const line of ['Date.now()', 'Math.random()', 'setTimeout(f, 1)', 'process.env.X', 'new Date()']) assert.match(line, machineCode)
    for (const line of ['clock.now()', 'new Date(0)', 'random.fraction()', 'process.exit()']) assert.doesNotMatch(line, machineCode)
    for (const module of ['node:fs', 'node:net', 'node:worker_threads']) assert.match(module, machineModules)
  })

  test('understands the table of layers, and finds what breaks it', () => {
    const layers = layersOf(architecture)
    assert.ok(layers.get('api')!.has('log') && layers.get('log')!.has('protocol'))
    assert.equal(violation('broker/log/segment.ts', 'broker/tier/tier.ts', layers), 'broker/log/segment.ts imports broker/tier/tier.ts')
    assert.equal(violation('broker/runtime/clock.ts', 'broker/protocol/reader.ts', layers), 'broker/runtime/clock.ts imports broker/protocol/reader.ts')
    assert.equal(violation('broker/tier/tier.ts', 'broker/log/segment.ts', layers), undefined)
  })
})

describe('every file of the broker', () => {
  test('imports only what its layer may import', () => {
    const layers = layersOf(architecture)
    const found = broker.flatMap((file) => importsOf(read(file)).flatMap(({ from, isTypeOnly }) => {
      if (!from.startsWith('.')) return []
      const target = join(dirname(file), from)
      if (file.startsWith('broker/protocol/') && target.startsWith('broker/runtime/') && !isTypeOnly) return [`${file} imports more than types of ${target}`]
      return violation(file, target, layers) ?? []
    }))
    assert.deepEqual(found, [])
  })

  test('is imported by its own name, and is there', () => {
    const found = everything.flatMap((file) => importsOf(read(file)).filter(({ from }) => from.startsWith('.'))
      .filter(({ from }) => !existsSync(join(root, dirname(file), from)) || join(dirname(file), from).startsWith('..'))
      .map(({ from, line }) => `${file}:${line} ${from}`))
    assert.deepEqual(found, [])
  })

  test('takes no part in a cycle of imports', () => {
    assert.deepEqual(cyclesOf(broker), [])
  })

  test('leaves clock, dice, disk, network and environment to the runtime', () => {
    const found = broker.filter((file) => !machineFiles.some((pattern) => pattern.test(file))).flatMap((file) => {
      const source = read(file)
      const modules = importsOf(source).filter(({ from, isTypeOnly }) => !isTypeOnly && machineModules.test(from))
        .filter(({ from }) => !machineExceptions.has(`${file} ${from}`)).map(({ from, line }) => `${file}:${line} ${from}`)
      return [...modules, ...linesMatching(source, machineCode).map((line) => `${file}:${line}`)]
    })
    assert.deepEqual(found, [])
  })

  test('uses a package only where that package is at home', () => {
    const found = broker.flatMap((file) => importsOf(read(file)).filter(({ from }) => !from.startsWith('.') && !from.startsWith('node:'))
      .filter(({ from }) => !packageHomes.some(([name, home]) => name.test(from) && home.test(file)))
      .map(({ from, line }) => `${file}:${line} ${from}`))
    assert.deepEqual(found, [])
  })

  test(`has functions of at most ${functionLinesMax} lines`, () => {
    const found = broker.flatMap((file) => functionsOf(read(file)).filter(({ lines, name }) => lines > functionLinesMax && !longFunctions.has(name))
      .map(({ name, line, lines }) => `${file}:${line} ${name} has ${lines} lines`))
    assert.deepEqual(found, [])
  })

  test(`has lines of at most ${columnsMax} columns`, () => {
    const found = broker.flatMap((file) => read(file).split('\n').flatMap((line, index) => (line.length > columnsMax ? [`${file}:${index + 1}`] : [])))
    assert.deepEqual(found, [])
  })
})

describe('every file of the tree', () => {
  test(`has at most ${linesMax} lines`, () => {
    const found = everything.map((file) => [file, read(file).split('\n').length - 1] as const).filter(([, lines]) => lines > linesMax)
    assert.deepEqual(found, [])
  })

  test('exports by name', () => {
    const found = everything.filter((file) => !file.endsWith('.d.ts')).flatMap((file) =>
      linesMatching(read(file), /^export default\b/).map((line) => `${file}:${line}`))
    assert.deepEqual(found, [])
  })

  test('leaves nothing to do without an issue', () => {
    const open = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X'].join('|')})\\b(?!\\(#\\d+\\))`)
    assert.match(['TO', 'DO: later'].join(''), open)
    assert.doesNotMatch(['TO', 'DO(#12): later'].join(''), open)
    const found = everything.flatMap((file) => read(file).split('\n').flatMap((line, index) => (open.test(line) ? [`${file}:${index + 1}`] : [])))
    assert.deepEqual(found, [])
  })

  test('runs every test: a skipped one says when', () => {
    const switchedOff = /\b(test|it|describe|suite)\.(only|skip|todo)\(|\b(only|skip|todo): true\b/
    assert.match('test.only(', switchedOff)
    const found = everything.flatMap((file) => linesMatching(read(file), switchedOff).map((line) => `${file}:${line}`))
    assert.deepEqual(found, [])
  })
})

describe('docs/architecture.md', () => {
  const walks = [...architecture.matchAll(/^### .*\n+(?:.+\n+)?```\n([\s\S]*?)```/gm)].map((match) => match[1]!)

  test('has a row for everything in broker/, and no other', () => {
    const rows = new Set(layersOf(architecture).keys())
    const there = new Set(broker.map((file) => layerOf(file)))
    assert.deepEqual([...there].filter((layer) => !rows.has(layer)), [])
    assert.deepEqual([...rows].filter((layer) => !there.has(layer)), [])
  })

  test('walks through functions and files that exist', () => {
    assert.ok(walks.length >= 3)
    const lines = walks.flatMap((walk) => walk.split('\n')).filter((line) => line.trim() !== '')
    assert.deepEqual(lines.flatMap((line) => unknownIn(line)), [])
  })

  test('would not walk through one that does not', () => {
    assert.deepEqual(unknownIn('→ Router.serveAll      api/router   x'), ['Router.serveAll'])
    assert.deepEqual(unknownIn('→ Router.serve         api/rooter   x'), ['api/rooter'])
    assert.deepEqual(unknownIn('→ produceIt            api/produce  x'), ['produceIt'])
  })

  test('names files that exist', () => {
    const named = [...architecture.matchAll(/`([\w./-]+\.(?:ts|md))`/g)].map((match) => match[1]!)
    assert.deepEqual(named.filter((file) => !existsSync(join(root, file)) && !existsSync(join(root, 'broker', file))), [])
  })
})

/** A folder of broker/, or a file that lies beside the folders. */
function layerOf(file: string): string {
  return file.split('/')[1]!
}

/** For each layer what it may import beside itself, from the table under "Layers". */
function layersOf(document: string): Map<string, Set<string>> {
  const rows = [...document.matchAll(/^\| (`[^|]*`) \|[^|]*\| ([^|]*) \|$/gm)]
    .map((match) => ({ names: [...match[1]!.matchAll(/`([\w.-]+)\/?`/g)].map((name) => name[1]!), may: match[2]! }))
  const layers = new Map<string, Set<string>>()
  for (const { names, may } of rows.toReversed()) {
    const allowed = new Set<string>()
    if (may.startsWith('everything')) for (const layer of layers.keys()) allowed.add(layer)
    for (const name of may.replace(/\(.*\)/, '').replace(/\band\b/g, ',').split(',').map((word) => word.trim())) {
      if (!/^[a-z-]+$/.test(name) || ['everything', 'nothing', 'below'].includes(name)) continue
      allowed.add(name)
      if (may.includes('and below')) for (const below of layers.get(name) ?? []) allowed.add(below)
    }
    // Those of one row are one layer.
    for (const name of names) layers.set(name, new Set([...allowed, ...names]))
  }
  return layers
}

function violation(file: string, target: string, layers: ReadonlyMap<string, ReadonlySet<string>>): string | undefined {
  const [from, to] = [layerOf(file), layerOf(target)]
  return from === to || layers.get(from)?.has(to) ? undefined : `${file} imports ${target}`
}

/** Each as the files on it. Types make no cycle: they are gone when files are loaded. */
function cyclesOf(files: readonly string[]): string[] {
  const targets = new Map(files.map((file) => [file, importsOf(read(file))
    .filter(({ from, isTypeOnly }) => from.startsWith('.') && !isTypeOnly).map(({ from }) => join(dirname(file), from))]))
  const done = new Set<string>()
  const cycles: string[] = []
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(' -> '))
    if (path.includes(file) || done.has(file)) return
    for (const target of targets.get(file) ?? []) visit(target, [...path, file])
    done.add(file)
  }
  for (const file of files) visit(file, [])
  return cycles
}

/** What a line of a walk names and the tree does not have. */
function unknownIn(line: string): string[] {
  const file = /\s([a-z]+(?:-[a-z]+)*\/[a-z]+(?:-[a-z]+)*)(?:\s|$)/.exec(line)?.[1]
  if (file !== undefined && !existsSync(join(root, 'broker', `${file}.ts`))) return [file]
  const sources = file === undefined ? broker.map(read) : [read(`broker/${file}.ts`)]
  const members = [...line.matchAll(/\b([A-Z]\w+)\.(#?\w+)/g)].map((match) => match[0])
  const first = /^\s*(?:[→├└]\s+)?([a-z]\w*)(?=\s+(?:→|[a-z]+\/)|$)/.exec(line)?.[1]
  const functions = first === undefined ? [] : [first]
  return [
    ...members.filter((name) => !sources.some((source) => hasMember(source, name))),
    // The function that a walk begins with stands on the line of the next step.
    ...functions.filter((name) => !(line.includes(`${name} →`) ? broker.map(read) : sources).some((source) => hasFunction(source, name))),
  ]
}

function hasMember(source: string, name: string): boolean {
  const [type, member] = name.split('.') as [string, string]
  return new RegExp(`\\b(class|interface) ${type}\\b`).test(source) &&
    new RegExp(`^  (?:static |async |get |\\*|readonly )*${member}(?:<.*>)?[(:]`, 'm').test(source)
}

function hasFunction(source: string, name: string): boolean {
  return new RegExp(`^export (?:async )?function\\*? ${name}\\b|^export const ${name}\\b`, 'm').test(source)
}

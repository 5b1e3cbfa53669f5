// Installs what the interop suites, librdkafka's tests and the bench need, under ~/.cache/longtail (or LONGTAIL_CACHE).
// Each step leaves a stamp with what it was made from, so that a second run takes no time and a new version is seen.
//
//   node scripts/peer/setup.ts [STEP ...]     without steps: all of them
//
// Sources are package registries only: Maven Central, npm, PyPI, the Go module proxy and the system's packages.

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cache, kafkaClientsJar, places, repository, versions } from './cache.ts'
import { classPath, javaOptions, toolArguments, toolNames } from './kafka-tools.ts'

/** A step that could not be done, with what the reader can do about it. */
class Missing extends Error {}

interface Step {
  readonly name: string
  /** Changes when the step must be done again. */
  readonly madeFrom: () => string
  /** What must be there afterwards. */
  readonly result: () => boolean
  readonly carryOut: () => void
}

function run(command: string, args: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}): void {
  const { status, error, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 64 << 20, ...options })
  if (error !== undefined) throw new Missing(`${command} cannot be run: ${error.message}`)
  if (status === 0) return
  const tail = `${stdout}${stderr}`.trimEnd().split('\n').slice(-20).join('\n')
  throw new Missing(`${command} ${args.join(' ')} ended with ${status}:\n${tail}`)
}

function isOnPath(command: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${command}`]).status === 0
}

/** Debian's names of what librdkafka and kcat are built with or are. */
const systemPackages: readonly { readonly name: string; readonly isThere: () => boolean }[] = [
  { name: 'kcat', isThere: () => isOnPath('kcat') },
  ...(
    [
      ['libssl-dev', 'openssl/ssl.h'],
      ['libcurl4-openssl-dev', 'curl/curl.h'],
      ['zlib1g-dev', 'zlib.h'],
      ['libzstd-dev', 'zstd.h'],
      ['liblz4-dev', 'lz4.h'],
      ['libsasl2-dev', 'sasl/sasl.h'],
      ['rapidjson-dev', 'rapidjson/document.h'],
    ] as const
  ).map(([name, header]) => ({
    name,
    isThere: () =>
      ['/usr/include', '/usr/local/include', ...globSync('/usr/include/*-linux-gnu')].some((root) =>
        existsSync(join(root, header)),
      ),
  })),
]

function installSystemPackages(): void {
  const wanted = systemPackages.filter(({ isThere }) => !isThere()).map(({ name }) => name)
  if (wanted.length === 0) return
  const advice = `install ${wanted.join(', ')} (Debian's names) and run this again`
  if (process.getuid?.() !== 0 || !isOnPath('apt-get')) throw new Missing(advice)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  run('apt-get', ['update', '-q'], { env })
  run('apt-get', ['install', '-qy', '--no-install-recommends', ...wanted], { env })
}

function checkCommands(): void {
  const wanted = [
    ['java', 'a JDK, 17 or newer'],
    ['javac', 'a JDK, 17 or newer'],
    ['mvn', 'Maven'],
    ['npm', 'npm'],
    ['python3', 'Python 3.9 or newer with venv'],
    ['cc', 'a C compiler'],
    ['c++', 'a C++ compiler'],
    ['make', 'make'],
    ['go', 'Go 1.24 or newer'],
  ] as const
  const missing = wanted.filter(([command]) => !isOnPath(command)).map(([command, what]) => `${command} (${what})`)
  if (missing.length > 0) throw new Missing(`not on PATH: ${missing.join(', ')}`)
}

function installKafka(): void {
  rmSync(places.jars, { recursive: true, force: true })
  run('mvn', [
    '-q',
    '-B',
    '-f',
    join(repository, 'scripts/peer/pom.xml'),
    'dependency:copy-dependencies',
    `-DoutputDirectory=${places.jars}`,
  ])
}

function installOlderClients(): void {
  rmSync(places.olderClients, { recursive: true, force: true })
  const artifact = `org.apache.kafka:kafka-clients:${versions.olderKafkaClients}`
  run('mvn', ['-q', '-B', 'dependency:copy', `-Dartifact=${artifact}`, `-DoutputDirectory=${places.olderClients}`])
}

/** What librdkafka's tests run Java programs of their own by: a class, which is looked for in CLASSPATH too. */
const runClassScript = `#!/bin/sh\nexec java ${javaOptions.map((word) => `'${word}'`).join(' ')} -cp "$CLASSPATH:${classPath}" "$@"\n`

function writeToolScripts(): void {
  const directory = join(places.kafkaHome, 'bin')
  mkdirSync(directory, { recursive: true })
  const runClass = join(directory, 'kafka-run-class.sh')
  writeFileSync(runClass, runClassScript)
  chmodSync(runClass, 0o755)
  for (const tool of toolNames) {
    const file = join(directory, `${tool}.sh`)
    writeFileSync(
      file,
      `#!/bin/sh\nexec java ${toolArguments(tool, [])
        .map((word) => `'${word}'`)
        .join(' ')} "$@"\n`,
    )
    chmodSync(file, 0o755)
  }
}

function installPython(): void {
  const root = join(cache, 'python')
  rmSync(root, { recursive: true, force: true })
  run('python3', ['-m', 'venv', root])
  run(places.python, [
    '-m',
    'pip',
    'install',
    '-q',
    '--disable-pip-version-check',
    `confluent-kafka==${versions.confluentPython}`,
  ])
}

function buildLibrdkafka(): void {
  const unpacked = join(cache, 'confluent-kafka-javascript')
  for (const path of [unpacked, places.librdkafka]) rmSync(path, { recursive: true, force: true })
  mkdirSync(unpacked, { recursive: true })
  run('npm', ['pack', '--silent', `@confluentinc/kafka-javascript@${versions.confluentJavascript}`], { cwd: unpacked })
  run('tar', ['xzf', `confluentinc-kafka-javascript-${versions.confluentJavascript}.tgz`], { cwd: unpacked })
  run('mv', [join(unpacked, 'package/deps/librdkafka'), places.librdkafka])
  rmSync(unpacked, { recursive: true, force: true })
  run('./configure', [], { cwd: places.librdkafka })
  run('make', ['-j2', 'libs'], { cwd: places.librdkafka })
  // RapidJSON lets the tests read statistics; without it they skip.
  run('make', ['-C', 'tests', '-j2', 'test-runner'], {
    cwd: places.librdkafka,
    env: { ...process.env, CPPFLAGS: '-DWITH_RAPIDJSON=1' },
  })
}

/** The bench's C programs, linked statically with the librdkafka of above. */
function compileBench(): void {
  mkdirSync(places.programs, { recursive: true })
  const config = readFileSync(join(places.librdkafka, 'Makefile.config'), 'utf8')
  const libraries = [...config.matchAll(/^LIBS\+=\s*(.*)$/gm)].flatMap(([, words]) => words!.trim().split(/\s+/))
  for (const source of globSync(join(repository, 'bench/clients/*.c'))) {
    const program = source.replace(/^.*\/(.*)\.c$/, '$1')
    run('cc', [
      '-O2',
      '-Wall',
      '-I',
      join(places.librdkafka, 'src'),
      source,
      join(places.librdkafka, 'src/librdkafka.a'),
      '-o',
      join(places.programs, `bench-${program}`),
      ...libraries,
    ])
  }
}

function compileJava(): void {
  const sources = globSync([join(repository, 'test/interop/java/*.java'), join(repository, 'bench/clients/*.java')])
  rmSync(places.classes, { recursive: true, force: true })
  mkdirSync(places.classes, { recursive: true })
  run('javac', ['--release', '17', '-Xlint:all,-try,-processing', '-Werror', '-cp', classPath, '-d', places.classes, ...sources])
}

function buildGo(): void {
  mkdirSync(places.programs, { recursive: true })
  run('go', ['build', '-buildvcs=false', '-o', join(places.programs, 'franz-go-clients'), '.'], {
    cwd: join(repository, 'test/interop/franz-go'),
  })
}

function digest(...patterns: readonly string[]): string {
  const hash = createHash('sha256')
  for (const file of globSync([...patterns], { cwd: repository }).sort())
    hash.update(file).update(readFileSync(join(repository, file)))
  return hash.digest('hex').slice(0, 16)
}

const steps: readonly Step[] = [
  { name: 'commands', madeFrom: () => 'always', result: () => false, carryOut: checkCommands },
  { name: 'system packages', madeFrom: () => 'always', result: () => false, carryOut: installSystemPackages },
  {
    name: 'kafka',
    madeFrom: () => digest('scripts/peer/pom.xml'),
    result: () => existsSync(kafkaClientsJar),
    carryOut: installKafka,
  },
  {
    name: 'older clients',
    madeFrom: () => versions.olderKafkaClients,
    result: () => existsSync(places.olderClients),
    carryOut: installOlderClients,
  },
  {
    name: 'kafka tools',
    madeFrom: () => `${toolNames.length} ${javaOptions.join(' ')} ${places.jars}`,
    result: () => existsSync(join(places.kafkaHome, 'bin/kafka-run-class.sh')),
    carryOut: writeToolScripts,
  },
  { name: 'python', madeFrom: () => versions.confluentPython, result: () => existsSync(places.python), carryOut: installPython },
  {
    name: 'librdkafka',
    madeFrom: () => versions.confluentJavascript,
    result: () => existsSync(join(places.librdkafka, 'tests/test-runner')),
    carryOut: buildLibrdkafka,
  },
  {
    name: 'bench',
    madeFrom: () => digest('bench/clients/*.c'),
    result: () => existsSync(places.programs),
    carryOut: compileBench,
  },
  {
    name: 'java',
    madeFrom: () => digest('test/interop/java/*.java', 'bench/clients/*.java'),
    result: () => existsSync(places.classes),
    carryOut: compileJava,
  },
  {
    name: 'go',
    madeFrom: () => digest('test/interop/franz-go/*'),
    result: () => existsSync(join(places.programs, 'franz-go-clients')),
    carryOut: buildGo,
  },
]

function complete(step: Step): void {
  const stamp = join(cache, `.${step.name.replaceAll(' ', '-')}`)
  const from = step.madeFrom()
  if (step.result() && existsSync(stamp) && readFileSync(stamp, 'utf8') === from) return
  const started = performance.now()
  step.carryOut()
  writeFileSync(stamp, from)
  const seconds = (performance.now() - started) / 1000
  if (seconds > 1) console.error(`peer: ${step.name}, ${seconds.toFixed(0)} s`)
}

/** Does what is not done yet; ends the process with what is missing where a step cannot be done. */
export function setUp(names: readonly string[] = steps.map(({ name }) => name)): void {
  mkdirSync(cache, { recursive: true })
  for (const name of names) {
    const step = steps.find((one) => one.name === name)
    if (step === undefined) {
      console.error(`peer: there is no step '${name}'; there are ${steps.map((one) => one.name).join(', ')}`)
      process.exit(2)
    }
    try {
      complete(step)
    } catch (error) {
      if (!(error instanceof Missing)) throw error
      console.error(`peer: ${step.name}: ${error.message}`)
      process.exit(1)
    }
  }
}

if (import.meta.main) setUp(process.argv.slice(2).length > 0 ? process.argv.slice(2) : undefined)

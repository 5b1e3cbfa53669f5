// A file system of its own in a file, so that power can be taken from it while the machine goes on: ext4's shutdown
// ioctl drops what was not synced, the journal's memory included, and fails every write from then on. Needs root.

import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const run = (command: string, ...args: string[]) => execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] })

export class LoopDisk {
  readonly directory: string
  readonly #root: string
  readonly #image: string

  private constructor(root: string) {
    this.#root = root
    this.#image = join(root, 'image')
    this.directory = join(root, 'disk')
    mkdirSync(this.directory)
  }

  /** The reason where it cannot be made here. */
  static make(megabytes: number): LoopDisk | string {
    if (process.getuid?.() !== 0) return 'needs root, for a loop device and the shutdown ioctl'
    const disk = new LoopDisk(mkdtempSync(join(tmpdir(), 'longtail-loop-')))
    try {
      run('truncate', '-s', `${megabytes}M`, disk.#image)
      run('mkfs.ext4', '-q', disk.#image)
      disk.#mount()
    } catch (error) {
      disk.dispose()
      return `needs ext4 on a loop device: ${String((error as { stderr?: Buffer }).stderr ?? error).trim()}`
    }
    return disk
  }

  #mount(): void {
    run('mount', '-o', 'loop', this.#image, this.directory)
  }

  /** From here on nothing that is written arrives, and what was not synced is gone. */
  losePower(): void {
    // EXT4_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH
    const program = 'import fcntl,os,struct,sys; fcntl.ioctl(os.open(sys.argv[1],os.O_RDONLY),0x8004587d,struct.pack("I",2))'
    run('python3', '-c', program, this.directory)
  }

  /** After the processes on it have ended: the file system is mounted again, with what survived. */
  comeBack(): void {
    run('umount', this.directory)
    this.#mount()
  }

  dispose(): void {
    try {
      run('umount', this.directory)
    } catch {
      // It was not mounted.
    }
    rmSync(this.#root, { recursive: true, force: true })
  }
}

/** What a person dropped or chose, as files with the paths that a data set is known by. */

export interface Chosen {
  /** Path inside what was dropped: `mini-mias/mdb001.pgm`. */
  readonly path: string;
  readonly file: File;
}

/** Files of a file or folder chooser. */
export function fromInput(files: Iterable<File>): Chosen[] {
  return [...files].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
}

/** Files of a drop, folders walked to their ends. */
export async function fromDrop(transfer: DataTransfer): Promise<Chosen[]> {
  // Entries must be taken before the first await: the browser empties the transfer after the event.
  const entries = [...transfer.items].flatMap((item) => item.webkitGetAsEntry?.() ?? []);
  if (entries.length === 0) return fromInput(transfer.files);
  return (await Promise.all(entries.map((entry) => walk(entry)))).flat();
}

async function walk(entry: FileSystemEntry): Promise<Chosen[]> {
  if (entry.isFile) {
    const file = await new Promise<File>((take, refuse) => (entry as FileSystemFileEntry).file(take, refuse));
    return [{ path: entry.fullPath.replace(/^\//, ""), file }];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: Chosen[] = [];
  for (;;) {
    // A reader gives a hundred entries at a time, and none when it is through.
    const some = await new Promise<FileSystemEntry[]>((take, refuse) => reader.readEntries(take, refuse));
    if (some.length === 0) return found;
    for (const child of some) found.push(...(await walk(child)));
  }
}

const NOISE = /(^|\/)(\.DS_Store|Thumbs\.db|desktop\.ini)$|(^|\/)__MACOSX\//;

/** Files that people mean: what a computer's own housekeeping leaves in folders is left out. Pure. */
export function meant<C extends { path: string }>(chosen: readonly C[]): C[] {
  return chosen.filter(({ path }) => !NOISE.test(path));
}

/** All bytes of some files. Pure. */
export function bytesOf(chosen: readonly { file: { size: number } }[]): number {
  return chosen.reduce((sum, { file }) => sum + file.size, 0);
}

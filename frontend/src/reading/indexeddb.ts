import type { Edit, OutboxStore, SetAside } from "./outbox";

const DATABASE = "mammoloop-outbox";
const EDITS = "edits";
const ASIDE = "aside";

const settled = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("the browser's store refused"));
  });

const finished = (transaction: IDBTransaction): Promise<void> =>
  new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new Error("the browser's store refused"));
  });

function open(): Promise<IDBDatabase> {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore(EDITS, { keyPath: "id" }).createIndex("reading", "readingId");
    request.result.createObjectStore(ASIDE, { keyPath: "readingId" });
  };
  return settled(request);
}

/** The outbox in the browser's own database: per origin, kept when the page or the browser closes. */
export class IndexedDbOutbox implements OutboxStore {
  private database: Promise<IDBDatabase> | null = null;

  private async store(name: string, mode: IDBTransactionMode): Promise<IDBObjectStore> {
    this.database ??= open();
    return (await this.database).transaction(name, mode, { durability: "strict" }).objectStore(name);
  }

  async load(readingId: string): Promise<Edit[]> {
    const edits = await settled<Edit[]>(
      (await this.store(EDITS, "readonly")).index("reading").getAll(readingId),
    );
    return edits.sort((a, b) => a.expects - b.expects);
  }

  async put(edit: Edit): Promise<void> {
    const store = await this.store(EDITS, "readwrite");
    store.put(edit);
    await finished(store.transaction);
  }

  async remove(ids: readonly string[]): Promise<void> {
    const store = await this.store(EDITS, "readwrite");
    for (const id of ids) store.delete(id);
    await finished(store.transaction);
  }

  async loadAside(readingId: string): Promise<SetAside | null> {
    return (
      (await settled<SetAside | undefined>((await this.store(ASIDE, "readonly")).get(readingId))) ?? null
    );
  }

  async putAside(aside: SetAside): Promise<void> {
    const store = await this.store(ASIDE, "readwrite");
    store.put(aside);
    await finished(store.transaction);
  }

  async removeAside(readingId: string): Promise<void> {
    const store = await this.store(ASIDE, "readwrite");
    store.delete(readingId);
    await finished(store.transaction);
  }
}

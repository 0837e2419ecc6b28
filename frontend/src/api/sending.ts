import { ApiError, NetworkError } from "./errors";

/** A file on its way to the server as the body of a request. */
export interface Sending {
  readonly method: "PUT" | "POST";
  /** As `apiAddress` gives it. */
  readonly address: string;
  readonly file: Blob;
  /** Goes in a header and not in the address: addresses end in logs. */
  readonly name: string;
  readonly signal: AbortSignal;
  readonly onBytes: (sent: number) => void;
}

function csrfToken(): string {
  return decodeURIComponent(/(?:^|; )csrftoken=([^;]*)/.exec(document.cookie)?.[1] ?? "");
}

/**
 * Send one file as it is; what the server answers. XMLHttpRequest, because fetch does not tell how much of a file has
 * left.
 */
export function sendFile<T>({ method, address, file, name, signal, onBytes }: Sending): Promise<T> {
  return new Promise((done, refuse) => {
    const call = new XMLHttpRequest();
    call.open(method, address);
    call.setRequestHeader("X-File-Name", encodeURIComponent(name));
    call.setRequestHeader("Content-Type", "application/octet-stream");
    call.setRequestHeader("Accept", "application/json");
    call.setRequestHeader("X-CSRFToken", csrfToken());
    call.upload.onprogress = (event) => onBytes(event.loaded);
    call.onload = () => {
      if (call.status < 300) done(JSON.parse(call.responseText) as T);
      else refuse(problemOf(call));
    };
    call.onerror = () => refuse(new NetworkError(new Error(`sending ${name}`)));
    call.onabort = () => refuse(new DOMException("Stopped", "AbortError"));
    signal.addEventListener("abort", () => call.abort(), { once: true });
    call.send(file);
  });
}

function problemOf(call: XMLHttpRequest): Error {
  try {
    const body = JSON.parse(call.responseText) as {
      code?: string;
      detail?: string;
      cure?: string;
      request_id?: string;
    };
    const sentence = body.detail ?? `The server answered ${call.status}`;
    return new ApiError(
      body.code ?? "http",
      call.status,
      null,
      body.request_id ?? null,
      sentence,
      body.cure ?? null,
    );
  } catch {
    return new ApiError("http", call.status, null, null, `The server answered ${call.status}`);
  }
}

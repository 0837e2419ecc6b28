let longest: number | null = null;

/** The longest side, in px, of a picture that this computer's graphics can hold; asked once. */
export function longestTexture(): number {
  longest ??= asked();
  return longest;
}

function asked(): number {
  const context = document.createElement("canvas").getContext("webgl2");
  // Without a graphics card the library paints by the processor, which knows no such limit.
  if (!context) return Number.POSITIVE_INFINITY;
  const side = Number(context.getParameter(context.MAX_TEXTURE_SIZE));
  context.getExtension("WEBGL_lose_context")?.loseContext();
  return side;
}

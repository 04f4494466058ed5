// The frame of a check: `check` runs a part of it and prints a line, `finish` ends the process. Called by the checks.

let failed = false;

/** Runs a part of a check; the next ones run even where it fails. Its result, if any, is added to the line. */
export async function check(name, work) {
  try {
    const result = await work();
    console.log(`interop: ok: ${name}${result ? ` (${result})` : ""}`);
  } catch (error) {
    failed = true;
    console.error(`interop: FAILED: ${name}: ${error.message}`);
  }
}

export function finish() {
  process.exit(failed ? 1 : 0);
}

process.on("uncaughtException", (error) => {
  console.error(`interop: FAILED: ${error.stack}`);
  process.exit(1);
});

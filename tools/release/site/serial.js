// A MicroPython prompt over Web Serial: the raw REPL (MicroPython's documentation, "The MicroPython
// Interactive Interpreter Mode").

const CHUNK = 128; // bytes; a board's input buffer has 256
const PAUSE = 10; // ms between chunks, in which the board reads them

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class Prompt {
  // onText: called with each text that the board writes.
  constructor(port, onText) {
    this.port = port;
    this.onText = onText;
    this.text = "";
    this.waiting = null;
  }

  async open() {
    await this.port.open({ baudRate: 115200, bufferSize: 8192 });
    this.reading = this.read();
  }

  async close() {
    this.closing = true;
    await this.reader?.cancel().catch(() => {});
    await this.reading;
    await this.port.close();
  }

  async read() {
    const decoder = new TextDecoder();
    this.reader = this.port.readable.getReader();
    try {
      for (;;) {
        const { value, done } = await this.reader.read();
        if (done) break;
        const text = decoder.decode(value, { stream: true });
        this.text += text;
        this.onText(text);
        this.waiting?.();
      }
    } catch (error) {
      if (!this.closing) this.failure = error;
      this.waiting?.();
    } finally {
      this.reader.releaseLock();
    }
  }

  async write(text) {
    const data = new TextEncoder().encode(text);
    const writer = this.port.writable.getWriter();
    try {
      for (let at = 0; at < data.length; at += CHUNK) {
        await writer.write(data.slice(at, at + CHUNK));
        await sleep(PAUSE);
      }
    } finally {
      writer.releaseLock();
    }
  }

  // Wait until the output, from the last match on, matches a pattern; returns the match.
  async wait(pattern, ms) {
    const end = Date.now() + ms;
    for (;;) {
      const found = pattern.exec(this.text);
      if (found) {
        this.text = this.text.slice(found.index + found[0].length);
        return found;
      }
      if (this.failure) throw this.failure;
      const left = end - Date.now();
      if (left <= 0) throw new Error("the board does not answer");
      await Promise.race([
        new Promise((resolve) => { this.waiting = resolve; }),
        sleep(left),
      ]);
    }
  }

  // Interrupt the program and enter the raw REPL.
  async enter() {
    for (let attempt = 0; ; attempt++) {
      this.text = "";
      await this.write("\r\x03\x03\x02"); // 0x02 leaves the raw REPL
      try {
        await this.wait(/>>> $/, 2000);
        break;
      } catch (error) {
        if (attempt === 4) {
          throw new Error("no MicroPython answers: press the board's RESET button and try again");
        }
      }
    }
    await this.write("\x01");
    await this.wait(/raw REPL; CTRL-B to exit\r?\n>/, 2000);
  }

  // Run code in the raw REPL and return what it printed.
  async run(code, ms = 10000) {
    await this.write(`${code}\x04`);
    const [, output, error] = await this.wait(/OK([^\x04]*)\x04([^\x04]*)\x04>/, ms);
    if (error) throw new Error(error.trim().split("\n").pop());
    return output;
  }

  // Leave the raw REPL and restart the program.
  async restart() {
    this.text = "";
    await this.write("\x02");
    await this.wait(/>>> $/, 2000);
    await this.write("\x04");
  }
}

// Our machine, as a process that answers a line for a line (driver.c).

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const SILENCE_MS_MAX = 300000; // wall clock: a busy machine is slow, not wrong

export class Engine {
  #path;
  #process = null;
  #waiting = [];
  #timer = null;

  constructor(path) {
    this.#path = path;
  }

  #start() {
    const child = spawn(this.#path, [], { stdio: ['pipe', 'pipe', 'pipe'] });
    let said = '';
    child.stderr.on('data', (data) => (said = (said + data).slice(-4000)));
    child.stdin.on('error', () => {}); // it ended: `close` says so
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.#watch();
      this.#waiting.shift()?.(JSON.parse(line));
    });
    child.on('error', (error) => (said = String(error)));
    child.on('close', (code, signal) => {
      if (this.#process !== child) return;
      this.#process = null;
      // The first that waits is the one it ended at; the others are asked again.
      const [broken, ...others] = this.#waiting;
      this.#waiting = [];
      broken?.({ broken: `the driver ended (${signal ?? code}): ${said.trim()}` });
      for (const answer of others) this.#write(answer.line, answer);
    });
    this.#process = child;
  }

  // A driver that says nothing for long is ended, which is an answer.
  #watch() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#process?.kill(), SILENCE_MS_MAX);
    this.#timer.unref();
  }

  #write(line, answer) {
    if (!this.#process) this.#start();
    if (this.#waiting.length === 0) this.#watch();
    this.#waiting.push(answer);
    this.#process.stdin.write(line);
  }

  ask(one) {
    return new Promise((resolve) => {
      const answer = (reply) => resolve(reply);
      answer.line = `${JSON.stringify(one)}\n`;
      this.#write(answer.line, answer);
    });
  }

  end() {
    clearTimeout(this.#timer);
    this.#process?.stdin.end();
  }
}

// Our machine, as a process that answers a line for a line (driver.c).

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const ANSWER_MS_MAX = 60000;

export class Engine {
  #path;
  #process = null;
  #waiting = [];

  constructor(path) {
    this.#path = path;
  }

  #start() {
    const child = spawn(this.#path, [], { stdio: ['pipe', 'pipe', 'pipe'] });
    let said = '';
    child.stderr.on('data', (data) => (said = (said + data).slice(-4000)));
    child.stdin.on('error', () => {}); // it ended: `close` says so
    createInterface({ input: child.stdout }).on('line', (line) => this.#waiting.shift()?.(JSON.parse(line)));
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

  #write(line, answer) {
    if (!this.#process) this.#start();
    this.#waiting.push(answer);
    this.#process.stdin.write(line);
  }

  ask(one) {
    const line = `${JSON.stringify(one)}\n`;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#process?.kill(), ANSWER_MS_MAX);
      const answer = (reply) => {
        clearTimeout(timer);
        resolve(reply);
      };
      answer.line = line;
      this.#write(line, answer);
    });
  }

  end() {
    this.#process?.stdin.end();
  }
}

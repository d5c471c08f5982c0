// How commands reach a running lab: one JSON request and one JSON answer over HTTP on a unix socket.
// Client side and shared shapes. Only root can open the socket; nothing listens on a network.

import { request } from 'node:http';
import { join } from 'node:path';
import { LabError } from './lab-error.ts';
import { stateDir } from './paths.ts';

/** State of one computer as `yado lab status` shows it. */
export interface ComputerStatus {
  readonly name: string;
  readonly power: 'on' | 'off';
  readonly role: string;
  readonly cable: 'plugged' | 'cut';
  readonly address: string;
}

/** State of the lab. `phase` leaves "starting" once; `message` is the last step or the failure. */
export interface LabStatus {
  readonly id: string;
  readonly pid: number;
  readonly phase: 'starting' | 'ready' | 'failed';
  readonly message: string;
  readonly hint: string;
  readonly dir: string;
  readonly computers: readonly ComputerStatus[];
}

/** Arguments of a call: texts, lists of texts, numbers. */
export type Arguments = Readonly<Record<string, string | readonly string[] | number | boolean | undefined>>;

/** The unix socket of a lab. */
export function controlSocket(id: string): string {
  return join(stateDir(id), 'control.sock');
}

/** Asks the running lab. @throws LabError: its own words, or that no lab is running. */
export function call<T>(id: string, verb: string, args: Arguments = {}): Promise<T> {
  return new Promise((resolve, reject) => {
    const gone = (error: Error): void =>
      reject(
        new LabError(
          id === 'default' ? 'no lab is running' : `no lab "${id}" is running`,
          'yado lab up',
          error,
        ),
      );
    const outgoing = request({ socketPath: controlSocket(id), path: `/${verb}`, method: 'POST' }, answer => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', gone);
      answer.on('end', () => {
        const body = JSON.parse(Buffer.concat(chunks).toString()) as {
          result?: T;
          error?: { message: string; hint: string };
        };
        if (body.error) reject(new LabError(body.error.message, body.error.hint));
        else resolve(body.result as T);
      });
    });
    outgoing.on('error', gone);
    outgoing.end(JSON.stringify(args));
  });
}

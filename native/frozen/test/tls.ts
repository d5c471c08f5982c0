// Whether the kernel of this machine encrypts TCP connections. Tests say what holds on either kind.
import { readFileSync } from 'node:fs';

export const hasTls: boolean = readFileSync('/proc/sys/net/ipv4/tcp_available_ulp', 'utf8').includes('tls');

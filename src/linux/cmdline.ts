// The kernel command line (/proc/cmdline), parsed as the kernel does (lib/cmdline.c next_arg). Pure parser.
import { REAL_ROOT, requireText } from '#linux/sysfs.ts';

/** One parameter; `value` undefined for a bare word such as "quiet". Quotes are removed. */
export interface KernelParameter {
  readonly name: string;
  readonly value: string | undefined;
}

/** Splits at spaces outside double quotes, up to a bare "--" (the rest belongs to init). Never throws. */
export function parseCmdline(text: string): KernelParameter[] {
  const parameters: KernelParameter[] = [];
  for (const [word] of text.matchAll(/(?:"[^"]*"?|[^\s"])+/g)) {
    if (word === '--') break;
    const plain = word.replaceAll('"', '');
    const equals = plain.indexOf('=');
    // The kernel takes '-' and '_' in names as the same.
    const name = (equals < 0 ? plain : plain.slice(0, equals)).replaceAll('-', '_');
    parameters.push({ name, value: equals < 0 ? undefined : plain.slice(equals + 1) });
  }
  return parameters;
}

/** The last value of `name`: '' for a bare word, undefined when absent. */
export function kernelParameter(parameters: readonly KernelParameter[], name: string): string | undefined {
  const wanted = name.replaceAll('-', '_');
  const found = parameters.findLast(parameter => parameter.name === wanted);
  return found === undefined ? undefined : (found.value ?? '');
}

export function readCmdline(root = REAL_ROOT): KernelParameter[] {
  return parseCmdline(requireText(root, 'proc/cmdline'));
}

// Small shapes that what comes from another computer is made of. Pure.

import * as v from 'valibot';

export const Short = v.pipe(v.string(), v.maxLength(256));
export const PciAddress = v.pipe(v.string(), v.regex(/^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/));
export const Count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

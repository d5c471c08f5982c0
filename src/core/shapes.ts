// Small shapes that what comes from another computer is made of. Pure.

import * as v from 'valibot';

export const Short = v.pipe(v.string(), v.maxLength(256));
export const Count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

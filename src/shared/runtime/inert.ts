/** Text from outside, made harmless for a terminal. */

import { stripVTControlCharacters } from 'node:util';

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what goes
const CONTROLS = /[\u0000-\u001f\u007f-\u009f]+/g;

/** One line without escape sequences: what a target says must neither steer nor forge the screen. */
export const inert = (text: string): string =>
  stripVTControlCharacters(text).replaceAll(CONTROLS, ' ');

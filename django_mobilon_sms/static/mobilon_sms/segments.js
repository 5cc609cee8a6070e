"use strict";
// Counts the segments of a text by the rules of segments.py. The page brings the alphabets and the
// plain forms from there, and the tests hold both counters to one table.

window.mobilonSms = window.mobilonSms || {};

{
  // Units that a segment holds: alone, and as one of several.
  const CAPACITY = { "GSM-7": [160, 153], "UCS-2": [70, 67] };

  // The units of each character, which no segment may cut in two.
  const widths = (text, alphabet, tables) => {
    const extension = new Set(tables.extension);
    return Array.from(text, (character) =>
      alphabet === "UCS-2" ? character.length : extension.has(character) ? 2 : 1,
    );
  };

  // Fill segments in order. Returns their number and the units in the last one.
  const pack = (characters, size) => {
    let count = 1;
    let used = 0;
    for (const width of characters) {
      if (used + width > size) {
        count += 1;
        used = 0;
      }
      used += width;
    }
    return [count, used];
  };

  window.mobilonSms.countSegments = (text, tables) => {
    const known = new Set(tables.basic + tables.extension);
    const distinct = [...new Set(text)];
    const ucs2Characters = distinct.filter((character) => !known.has(character));
    const alphabet = ucs2Characters.length ? "UCS-2" : "GSM-7";
    const characters = widths(text, alphabet, tables);
    const units = characters.reduce((sum, width) => sum + width, 0);
    const [single, each] = CAPACITY[alphabet];
    const size = units > single ? each : single;
    const [count, used] = units > single ? pack(characters, each) : [Math.min(units, 1), units];
    return { alphabet, count, units, remaining: size - used, ucs2Characters };
  };

  window.mobilonSms.plainForms = (text, tables) =>
    Array.from(text, (character) => tables.plain[character] ?? character).join("");
}

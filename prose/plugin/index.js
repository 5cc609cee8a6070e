// Lets textlint read reStructuredText. Markup is blanked out, and what is left, with its lines and
// columns where they were, is read as Markdown.
"use strict";

const { parse } = require("@textlint/markdown-to-ast");

// Directives whose content is prose. The content of all others is blanked with them.
const PROSE = /^(confval|list-table|note|warning|tip|important|seealso|versionadded|versionchanged|deprecated)$/;
const ADORNMENT = /^([=~^"'+#*-])\1{2,}$/;
const OPTION = /^\s+:[\w-]+:(\s|$)/;

const blanked = (text) => text.replace(/\S/g, " ");
const indentation = (line) => line.search(/\S|$/);

// Blank directives, comments, options, adornments and literal blocks.
function withoutBlocks(lines) {
    let hidden = null; // how far the line is indented whose content is blanked
    return lines.map((line) => {
        if (hidden !== null && (!line.trim() || indentation(line) > hidden)) return blanked(line);
        hidden = null;
        const [, directive, name] = /^\s*(\.\.)(?: (\S+)::|\s|$)/.exec(line) || [];
        if (directive) {
            if (!PROSE.test(name)) hidden = indentation(line);
            return blanked(line);
        }
        if (OPTION.test(line) || ADORNMENT.test(line.trim())) return blanked(line);
        if (/::\s*$/.test(line)) hidden = indentation(line);
        return line.replace(/::(?=\s*$)/, ": ");
    });
}

// Turn roles into Markdown's code, and links into their words.
function withoutMarkup(text) {
    return text
        .replace(/:[\w:-]+:`[^`]*`/g, (role) => "`" + role.slice(1, -1).replace(/[`\S]/g, "x") + "`")
        .replace(/(?<!`)`([^`<]+)(<[^`>]*>)?`__?(?!`)/g, (link, words) =>
            ` ${words}${blanked(link.slice(words.length + 1))}`);
}

class SphinxProcessor {
    availableExtensions() {
        return [".rst"];
    }

    processor() {
        return {
            preProcess: (text) => parse(withoutMarkup(withoutBlocks(text.split("\n")).join("\n"))),
            postProcess: (messages, filePath) => ({ messages, filePath }),
        };
    }
}

module.exports = { Processor: SphinxProcessor };

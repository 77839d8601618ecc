// Makes widget.min.js from widget.js. Not a part of the Rust build: run it after a change and commit both;
// a test of the crate notices when they do not belong together.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { minify } from 'terser';

const source = readFileSync(new URL('widget.js', import.meta.url));
// The style sheet is a template literal, which a JavaScript minifier leaves alone.
const slim = source.toString().replace(/(const CSS = `)([^`]*)/, (_, head, css) => head + css.replace(/\n\s*/g, '').replace(/;}/g, '}'));
const { code } = await minify(slim, {
  ecma: 2022,
  toplevel: true,
  compress: { passes: 3, unsafe_arrows: true, booleans_as_integers: false, keep_fargs: false, unsafe: true, unsafe_methods: true, unsafe_undefined: false, hoist_props: true },
  format: { comments: false },
});
const hash = createHash('sha256').update(source).digest('hex');
writeFileSync(new URL('widget.min.js', import.meta.url), `/* widget.js ${hash} */\n${code}\n`);
console.log(code.length, 'characters,', Buffer.byteLength(code), 'bytes');

const integrity = `sha384-${createHash('sha384').update(`${code}\n`).digest('base64')}`;
const readme = new URL('../README.md', import.meta.url);
writeFileSync(readme, readFileSync(readme, 'utf8').replace(/^ {4}sha384-.*$/m, `    ${integrity}`));

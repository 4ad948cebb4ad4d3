// Opens a file in a YAML language server as an editor does, and prints what the server
// says of it: {"problems": ["line:column text"], "offers": {"line:column": [words]}}.
// Arguments: the server's script, the file, and places to complete at.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const [server, file, ...places] = process.argv.slice(2);
const child = spawn(process.execPath, [server, '--stdio'], { stdio: ['pipe', 'pipe', 'inherit'] });
const waiting = new Map();
let received = Buffer.alloc(0);
let asked = 0;
let published;

function send(message) {
  const text = JSON.stringify({ jsonrpc: '2.0', ...message });
  child.stdin.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
}

function ask(method, params) {
  return new Promise((resolve) => {
    waiting.set(++asked, resolve);
    send({ id: asked, method, params });
  });
}

function take(message) {
  if (message.method === 'textDocument/publishDiagnostics') {
    published?.(message.params.diagnostics);
  } else if (message.method === 'workspace/configuration') {
    send({ id: message.id, result: message.params.items.map(() => ({})) });
  } else if (message.method && message.id !== undefined) {
    send({ id: message.id, result: null });
  } else if (waiting.has(message.id)) {
    waiting.get(message.id)(message.result);
    waiting.delete(message.id);
  }
}

child.stdout.on('data', (more) => {
  received = Buffer.concat([received, more]);
  for (;;) {
    const head = received.indexOf('\r\n\r\n');
    if (head < 0) return;
    const length = Number(/Content-Length: (\d+)/i.exec(received.subarray(0, head).toString())[1]);
    if (received.length < head + 4 + length) return;
    const body = received.subarray(head + 4, head + 4 + length);
    received = received.subarray(head + 4 + length);
    take(JSON.parse(body));
  }
});

const uri = pathToFileURL(file).href;
await ask('initialize', { processId: process.pid, rootUri: null, capabilities: {} });
send({ method: 'initialized', params: {} });
const problems = new Promise((resolve) => { published = resolve; });
send({ method: 'textDocument/didOpen', params: { textDocument: { uri, languageId: 'yaml', version: 1, text: readFileSync(file, 'utf8') } } });
const said = { problems: [], offers: {} };
for (const p of await problems) {
  said.problems.push(`${p.range.start.line + 1}:${p.range.start.character + 1} ${p.message}`);
}
for (const place of places) {
  const [line, character] = place.split(':').map((n) => Number(n) - 1);
  const got = await ask('textDocument/completion', { textDocument: { uri }, position: { line, character } });
  said.offers[place] = (got.items ?? got).map((item) => item.label);
}
console.log(JSON.stringify(said));
child.kill();

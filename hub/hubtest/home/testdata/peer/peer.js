// Another's controller: it pairs, lets a second controller in, subscribes to the bell and
// writes a line of JSON for each thing that happens. It ends when its input does.
// node peer.js DEVICE ADDRESS PORT CODE NAME KEY; the last two are of whom it lets in.
'use strict';

const {default: HttpClient} = require('hap-controller/lib/transport/ip/http-client');

const [device, address, port, code, name, key] = process.argv.slice(2);
const client = new HttpClient(device, address, Number(port));
const tell = (what) => process.stdout.write(JSON.stringify(what) + '\n');
const short = (type) => type.replace(/-0000-1000-8000-0026BB765291$/i, '').replace(/^0+/, '').toUpperCase();
let bell;

// listen subscribes, and again when the connection has ended, until it is taken. A client
// whose connection ends in the middle of a request waits for ever, so each try has its own.
async function listen() {
	for (;;) {
		const mine = new HttpClient(device, address, Number(port), client.getLongTermData());
		mine.on('event', (e) => {
			for (const c of e.characteristics) {
				if (`${c.aid}.${c.iid}` === bell) {
					tell({press: c.value});
				}
			}
		});
		let late;
		try {
			await Promise.race([
				mine.subscribeCharacteristics([bell]),
				new Promise((_, refuse) => { late = setTimeout(() => refuse(new Error('no answer')), 3000); }),
			]);
			mine.on('event-disconnect', () => setImmediate(listen));
			tell({listening: true});
			return;
		} catch (e) {
			mine.removeAllListeners();
			mine.close().catch(() => {}); // it may not be open
			tell({again: String(e.message)});
			await new Promise((done) => setTimeout(done, 50));
		} finally {
			clearTimeout(late);
		}
	}
}

async function main() {
	await client.pairSetup(code);
	tell({key: client.getLongTermData().AccessoryLTPK});
	await client.addPairing(name, Buffer.from(key, 'hex'), true);
	const {accessories} = await client.getAccessories();
	for (const a of accessories) {
		for (const s of a.services.filter((s) => short(s.type) === '121')) {
			bell = `${a.aid}.${s.characteristics.find((c) => short(c.type) === '73').iid}`;
		}
	}
	const list = await client.listPairings();
	tell({pairings: list.pairings ? list.pairings.length : 0});
	const picture = await client.getImage(640, 360, 1);
	tell({picture: picture.length, jpeg: picture[0] === 0xff && picture[1] === 0xd8});
	await listen();
}

process.stdin.on('end', () => process.exit(0));
process.stdin.resume();
main().catch((e) => {
	tell({failed: String(e.stack)});
	process.exit(1);
});

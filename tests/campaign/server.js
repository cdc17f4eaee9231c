// SPDX-License-Identifier: Apache-2.0
// server.js PORT [DEPENDENCY-PORT]: a small Node.js service. "/" asks its dependency (redis), if it
// has one, and answers; the other paths are its defects, each of which people have shipped.
'use strict';
const fs = require('fs');
const http = require('http');
const net = require('net');
const { Worker } = require('worker_threads');

const [port, dependency] = process.argv.slice(2).map(Number);
const kept = [];
const garbage = [];

function askDependency(answer) {
	const socket = net.connect(dependency, '127.0.0.1', () => socket.write('PING\r\n'));
	const end = (status) => { socket.destroy(); answer(status); };

	socket.setTimeout(1000, () => end(504));
	socket.on('data', () => end(200));
	socket.on('error', () => end(502));
}

const defects = {
	'/leak': (n) => kept.push(Buffer.alloc(n, 1)),
	'/files': (n) => { while (n-- > 0) kept.push(fs.openSync('/dev/null')); },
	'/threads': (n) => {
		while (n-- > 0) {
			const worker = new Worker('setInterval(() => {}, 1e6)', { eval: true });
			kept.push(worker);
		}
	},
	'/write': (n) => fs.appendFileSync('data', Buffer.alloc(n, 120)),
	'/touch': (n) => {
		while (n-- > 0) fs.writeFileSync(`session-${kept.length}-${n}`, '');
		kept.push(0);
	},
	'/log': (n) => { while (n-- > 0) fs.appendFileSync('log', 'E'.repeat(1023) + '\n'); },
	'/garbage': (n) => { for (n *= 20000; n > 0; n--) garbage[n % 50000] = { text: 'g' + n }; },
	'/block': () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0),
	'/spin': () => { for (;;); },
	'/abort': () => process.abort(),
};

http.createServer((request, response) => {
	const [path, amount] = request.url.split('?');
	const answer = (status) => { response.statusCode = status; response.end('ok\n'); };

	try {
		if (path !== '/') {
			defects[path](Number(amount || 1));
			answer(200);
		} else if (dependency) {
			askDependency(answer);
		} else {
			answer(200);
		}
	} catch (error) {
		console.error(`${error.code}: ${error.message}`);
		answer(500);
	}
}).listen(port, '127.0.0.1');

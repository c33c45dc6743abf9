// A page with a WebSocket and an EventSource, on Node.js alone: node page_service.js PORT
"use strict";

const crypto = require("crypto");
const fs = require("fs");
const http = require("http");
const path = require("path");

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const TEXT = 1, CLOSE = 8, PING = 9, PONG = 10;
const LAST_OF_STREAM = 4; // then the stream ends, and the browser has to come back for the rest
const LAST_EVENT = 8;

const page = fs.readFileSync(path.join(__dirname, "page.html"));
let stream = null; // the response that carries the events

function sendEvent(id) {
    stream.write(`id: ${id}\ndata: event ${id}\n\n`);
}

const server = http.createServer((request, response) => {
    const url = new URL(request.url, "http://service");
    const id = Number(url.searchParams.get("id"));

    if (url.pathname === "/") {
        response.setHeader("Content-Type", "text/html");
        response.end(page);
    } else if (url.pathname === "/events") {
        const last = Number(request.headers["last-event-id"] || 0);
        console.log(`events after ${last}`);
        response.writeHead(200, { "Content-Type": "text/event-stream" });
        stream = response;
        stream.write("retry: 10\n\n");
        sendEvent(last + 1);
        response.on("close", () => console.log("events closed"));
    } else if (url.pathname === "/seen") {
        // The next event is sent when the page has seen this one: nothing may hold it back.
        response.end();
        if (id === LAST_OF_STREAM)
            stream.end();
        else if (id < LAST_EVENT)
            sendEvent(id + 1);
    } else {
        response.writeHead(404).end();
    }
});

function encode(first, payload) {
    const size = payload.length;
    const head = Buffer.alloc(size < 126 ? 2 : size < 65536 ? 4 : 10);
    head[0] = first;
    head[1] = Math.min(size, head.length === 2 ? 125 : head.length === 4 ? 126 : 127);
    if (head.length === 4)
        head.writeUInt16BE(size, 2);
    else if (head.length === 10)
        head.writeBigUInt64BE(BigInt(size), 2);
    return Buffer.concat([head, payload]);
}

// {first, payload, size} of the first frame in `data`, null when it is not whole. Clients mask.
function decode(data) {
    if (data.length < 2)
        return null;
    const short = data[1] & 127;
    const start = short < 126 ? 6 : short === 126 ? 8 : 14;
    if (data.length < start)
        return null;
    const length = short < 126 ? short
        : short === 126 ? data.readUInt16BE(2) : Number(data.readBigUInt64BE(2));
    if (data.length < start + length)
        return null;
    const key = data.subarray(start - 4, start);
    const payload = Buffer.from(data.subarray(start, start + length));
    for (let i = 0; i < length; i++)
        payload[i] ^= key[i % 4];
    return { first: data[0], payload, size: start + length };
}

// Messages come back as they came, frame by frame.
function answer(socket, { first, payload }) {
    const opcode = first & 15;
    if (opcode === CLOSE) {
        console.log(`socket closed ${payload.length ? payload.readUInt16BE(0) : "without a code"}`);
        socket.end(socket.closing ? undefined : encode(first, payload));
    } else if (opcode === TEXT && payload.toString() === "close, please") {
        socket.closing = true;
        socket.write(encode(0x80 | CLOSE, Buffer.from("\x0f\xa2as you wish", "latin1"))); // 4002
    } else if (opcode === PING) {
        socket.write(encode(0x80 | PONG, payload));
    } else if (opcode !== PONG) {
        socket.write(encode(first, payload));
    }
}

server.on("upgrade", (request, socket, head) => {
    const key = request.headers["sec-websocket-key"];
    const accept = crypto.createHash("sha1").update(key + GUID).digest("base64");
    socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n" +
        `Connection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
    socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.on("close", () => console.log("socket ended"));
    let data = head;
    const consume = () => {
        for (let frame; (frame = decode(data)); data = data.subarray(frame.size))
            answer(socket, frame);
    };
    socket.on("data", (piece) => {
        data = Buffer.concat([data, piece]);
        consume();
    });
    consume();
});

server.listen(Number(process.argv[2]), "127.0.0.1", () => console.log("ready"));

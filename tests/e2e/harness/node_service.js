// A service for the reverse proxy's tests, on Node.js alone: node node_service.js PORT
"use strict";

const crypto = require("crypto");
const http = require("http");

const server = http.createServer((request, response) => {
    const url = new URL(request.url, "http://service");
    const number = Number(url.searchParams.get("n"));

    if (url.pathname === "/request") {
        response.setHeader("Content-Type", "application/json");
        const { method, url: target, rawHeaders } = request;
        response.end(JSON.stringify({ method, target, rawHeaders }));
    } else if (url.pathname === "/sha") {
        const hash = crypto.createHash("sha256");
        request.on("data", (piece) => hash.update(piece));
        request.on("end", () => response.end(hash.digest("hex")));
    } else if (url.pathname === "/chunks") {
        for (let i = 0; i < number; i++)
            response.write(`chunk ${i}\n`);
        response.addTrailers({ "X-Count": String(number) });
        response.end();
    } else if (url.pathname === "/events") {
        let count = 0;
        response.writeHead(200, { "Content-Type": "text/event-stream" });
        const timer = setInterval(() => response.write(`data: ${count++} ${Date.now()}\n\n`), 50);
        request.on("close", () => {
            clearInterval(timer);
            console.log(`events closed after ${count}`);
        });
    } else if (url.pathname === "/close") {
        response.shouldKeepAlive = false;
        response.end("x".repeat(number));
    } else {
        response.end(`${request.method} ${request.url}\n`);
    }
});

server.on("upgrade", (request, socket, head) => {
    socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n");
    socket.write(head);
    socket.pipe(socket);
});

server.keepAliveTimeout = 200; // short, so that idle connections die under the proxy
server.listen(Number(process.argv[2]), "127.0.0.1", () => console.log("ready"));

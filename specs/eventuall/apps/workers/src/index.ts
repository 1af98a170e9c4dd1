import { DurableObject } from "cloudflare:workers";

interface Env {
  DB: D1Database;
  EVENTS: KVNamespace;
  COMMANDS: Queue<Command>;
  ROOM: DurableObjectNamespace<Room>;
}

interface Command {
  room: string;
  body: unknown;
}

/** Everyone in one room: counts who is there and hands messages on. */
export class Room extends DurableObject<Env> {
  async fetch(): Promise<Response> {
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }

  webSocketMessage(from: WebSocket, message: string | ArrayBuffer): void {
    for (const socket of this.ctx.getWebSockets()) if (socket !== from) socket.send(message);
  }

  present(): number {
    return this.ctx.getWebSockets().length;
  }
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const room = new URL(request.url).pathname.slice(1);
    if (room === "") return new Response("eventuall workers\n");
    const stub = env.ROOM.get(env.ROOM.idFromName(room));
    if (request.headers.get("Upgrade") === "websocket") return stub.fetch(request);
    if (request.method === "POST") {
      await env.COMMANDS.send({ room, body: await request.json() });
      return new Response(null, { status: 202 });
    }
    return Response.json({ room, present: await stub.present(), last: await env.EVENTS.get(room) });
  },

  async queue(batch: MessageBatch<Command>, env: Env): Promise<void> {
    for (const message of batch.messages) {
      const { room, body } = message.body;
      await env.DB.batch([
        env.DB.prepare("INSERT OR IGNORE INTO rooms (name, livekit_project) VALUES (?, 'dev')").bind(room),
        env.DB.prepare("INSERT INTO commands (room, body, done) VALUES (?, ?, 1)").bind(room, JSON.stringify(body)),
      ]);
      await env.EVENTS.put(room, JSON.stringify(body));
      message.ack();
    }
  },
} satisfies ExportedHandler<Env, Command>;

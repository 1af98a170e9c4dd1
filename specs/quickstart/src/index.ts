interface Env {
  DB: D1Database;
  SESSIONS: KVNamespace;
  UPLOADS: R2Bucket;
  JOBS: Queue<Job>;
  ENVIRONMENT: string;
  SESSION_KEY: string;
}

interface Job {
  note: number;
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const url = new URL(request.url);
    if (request.method === "POST" && url.pathname === "/notes") {
      const body = await request.text();
      const row = await env.DB.prepare("INSERT INTO notes (body) VALUES (?) RETURNING id")
        .bind(body)
        .first<{ id: number }>();
      if (row === null) return new Response("not stored", { status: 500 });
      await env.UPLOADS.put(`notes/${row.id}`, body);
      await env.JOBS.send({ note: row.id });
      return Response.json(row, { status: 201 });
    }
    if (url.pathname === "/notes") {
      const { results } = await env.DB.prepare("SELECT id, body, words FROM notes ORDER BY id").all();
      return Response.json(results);
    }
    const visits = Number((await env.SESSIONS.get("visits")) ?? 0) + 1;
    await env.SESSIONS.put("visits", String(visits), { expirationTtl: 3600 });
    return Response.json({ environment: env.ENVIRONMENT, visits });
  },

  async queue(batch: MessageBatch<Job>, env: Env): Promise<void> {
    for (const message of batch.messages) {
      const object = await env.UPLOADS.get(`notes/${message.body.note}`);
      const words = ((await object?.text()) ?? "").split(/\s+/).filter(Boolean).length;
      await env.DB.prepare("UPDATE notes SET words = ? WHERE id = ?")
        .bind(words, message.body.note)
        .run();
      message.ack();
    }
  },
} satisfies ExportedHandler<Env, Job>;

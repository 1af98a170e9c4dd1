interface Env {
  DB: D1Database;
  APP_URL: string;
}

export default {
  async fetch(_request: Request, env: Env): Promise<Response> {
    const start = Date.now();
    const answer = await fetch(env.APP_URL).catch(() => new Response(null, { status: 599 }));
    await env.DB.prepare("INSERT INTO checks (url, at, status, latency_ms) VALUES (?, ?, ?, ?)")
      .bind(env.APP_URL, Math.floor(start / 1000), answer.status, Date.now() - start)
      .run();
    const open = await env.DB.prepare("SELECT url, opened_at FROM incidents WHERE closed_at IS NULL").all();
    return Response.json({ status: answer.status, open: open.results });
  },
} satisfies ExportedHandler<Env>;

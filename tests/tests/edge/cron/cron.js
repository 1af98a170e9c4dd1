export default {
  async fetch(request, env) {
    const event = { cron: "*/5 * * * *", scheduledTime: new Date() };
    return Response.json(await env.EDGE.scheduled(event));
  },
};

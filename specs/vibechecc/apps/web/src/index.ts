export default {
  fetch(): Response {
    return new Response("vibechecc\n");
  },
} satisfies ExportedHandler;

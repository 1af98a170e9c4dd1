// In front of the built Worker: a test tells the clock to go ahead, in place of waiting.
// `POST /ahead/MS` does it for everything that asks for the time from then on, objects too: they
// live in the same isolate. Alarms ring by the runtime's own clock.
import Worker from "./index.js";
export * from "./index.js";

const Clock = Date;
let ahead = 0;

globalThis.Date = class extends Clock {
  constructor(...parts) {
    if (parts.length === 0) {
      super(Clock.now() + ahead);
    } else {
      super(...parts);
    }
  }

  static now() {
    return Clock.now() + ahead;
  }
};

export default class extends Worker {
  async fetch(request) {
    const asked = new URL(request.url).pathname.match(/^\/ahead\/(\d+)$/);
    if (!asked) {
      return super.fetch(request);
    }
    ahead += Number(asked[1]);
    return new Response(null, { status: 204 });
  }
}

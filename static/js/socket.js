// A socket that comes back: after a loss it reconnects and asks for what happened after the last seq it saw.

const SIGNED_OUT = 4401;
const DELETED = 4410;
const FIRST_WAIT = 500; // ms
const LONGEST_WAIT = 20_000;
const SILENCE = 45_000; // the server gives a sign of life every 20 s

/**
 * Listen to a path. `onMessage` gets each message once; `onOpen` runs at each connection, the first included.
 * Returns a function that stops listening.
 */
export function listen(path, { after = null, onMessage, onOpen = () => {} }) {
  let last = after;
  let wait = FIRST_WAIT;
  let socket = null;
  let watchdog = 0;
  let stopped = false;

  function connect() {
    const address = new URL(path, location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    if (last !== null) address.searchParams.set("after", last);
    socket = new WebSocket(address);
    heard(); // one that never opens is silent, too, and browsers wait for minutes
    socket.addEventListener("open", () => {
      wait = FIRST_WAIT;
      heard();
      onOpen();
    });
    socket.addEventListener("message", ({ data }) => {
      heard();
      const message = JSON.parse(data);
      if (last !== null && message.seq !== undefined) {
        if (message.seq <= last) return;
        last = message.seq;
      }
      if (message.kind !== "alive") onMessage(message);
    });
    socket.addEventListener("close", ({ code }) => lost(code));
  }

  function heard() {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => socket.close(), SILENCE);
  }

  function lost(code) {
    clearTimeout(watchdog);
    if (stopped || code === DELETED) return;
    if (code === SIGNED_OUT) {
      location.reload();
      return;
    }
    setTimeout(() => stopped || connect(), wait * (0.5 + Math.random()));
    wait = Math.min(wait * 2, LONGEST_WAIT);
  }

  connect();
  return () => {
    stopped = true;
    clearTimeout(watchdog);
    socket.close();
  };
}

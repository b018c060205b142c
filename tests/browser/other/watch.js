// Injected by the tests: what goes over the page's sockets, from the moment of injection. Methods of the prototype are wrapped,
// since the socket is there already; it is known from the first thing that it sends.
(() => {
  const base64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  const watched = (globalThis.watched = { said: [], got: [], pcm: {} });
  const known = new WeakSet();
  const receive = ({ data }) => {
    if (typeof data === "string") return void watched.got.push(JSON.parse(data));
    const view = new DataView(data);
    if (view.getUint8(0) === 2) (watched.pcm[view.getUint16(2, true)] ??= []).push(new Uint8Array(data, 16).slice());
    return undefined;
  };
  const { send } = WebSocket.prototype;
  WebSocket.prototype.send = function (data) {
    if (!known.has(this)) this.addEventListener("message", receive);
    known.add(this);
    if (typeof data === "string") watched.said.push(JSON.parse(data));
    return send.call(this, data);
  };
  const devices = navigator.mediaDevices;
  const { getUserMedia } = devices;
  devices.getUserMedia = async (wishes) => {
    const media = await getUserMedia.call(devices, wishes);
    watched.track = media.getAudioTracks()[0];
    return media;
  };
  const latency = Object.getOwnPropertyDescriptor(AudioContext.prototype, "outputLatency");
  Object.defineProperty(AudioContext.prototype, "outputLatency", {
    get() {
      watched.askedLatency = true;
      return latency.get.call(this);
    },
  });
  watched.source = () => Object.values(watched.pcm).flat().map(base64);
  // What the master bus carried, as 16 bit: a list of numbers would take longer to read than to play.
  watched.tapped = async () => {
    const { rate, blocks } = await globalThis.__clawmux_test.tap();
    const pieces = blocks.map(({ samples }) => {
      const ints = Int16Array.from(samples, (value) => Math.round(Math.max(-1, Math.min(1, value)) * 32767));
      return base64(new Uint8Array(ints.buffer));
    });
    return { rate, time: blocks[0]?.time ?? 0, pieces };
  };
  return true;
})()

// Pages opened as files may not start a worker: there the search runs in a hidden frame instead.
if (location.protocol === "file:") {
  window.Worker = window.IFrameWorker = class extends EventTarget {
    constructor(source) {
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      document.body.append(frame)
      const inside = frame.contentWindow
      const told = (target, data) => target.dispatchEvent(new MessageEvent("message", { data }))
      inside.postMessage = data => told(this, data)
      const script = inside.document.createElement("script")
      script.src = new URL(source, location)
      this.ready = new Promise(resolve => (script.onload = resolve))
      this.postMessage = data => this.ready.then(() => told(inside, data))
      inside.document.body.append(script)
    }
    terminate() {}
  }
}

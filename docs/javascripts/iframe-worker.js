// Browsers start no worker from a page that is opened from a disk. The site's search then runs in
// a hidden frame, which takes and gives messages as a worker does.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.inside = new Promise((resolve) => {
        const frame = document.createElement("iframe");
        frame.hidden = true;
        frame.onload = () => {
          const { contentDocument: page, contentWindow: inside } = frame;
          inside.postMessage = (data) =>
            this.dispatchEvent(new MessageEvent("message", { data }));
          const script = page.createElement("script");
          script.src = new URL(url, location);
          script.onload = () => resolve(inside);
          page.body.append(script);
        };
        document.body.append(frame);
      });
    }

    postMessage(data) {
      this.inside.then((inside) =>
        inside.dispatchEvent(new inside.MessageEvent("message", { data })),
      );
    }
  };
}

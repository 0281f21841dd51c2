// Where in the whole recording a zoomed view is: everyone's turns in a strip, and a window to drag over them.

/** `scrollTo` makes the view begin at a time. There is no strip while all is seen. */
export function showOverview(section, lanes, scrollTo) {
  const strip = section.querySelector("[data-overview]");
  const [canvas, pane] = [strip.querySelector("canvas"), strip.querySelector("span")];
  const share = (seconds) => `${(seconds / lanes.seconds) * 100}%`;

  lanes.addEventListener("view", () => {
    const { start, end } = lanes.view;
    strip.hidden = end - start > 0.999 * lanes.seconds;
    if (strip.hidden) return;
    if (canvas.width !== pixels(canvas.clientWidth)) draw(canvas, lanes);
    pane.style.left = share(start);
    pane.style.width = share(end - start);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw(canvas, lanes));

  let grip = 0; // seconds from the view's start to where it is held
  const drag = (event) => scrollTo(Math.max(0, timeAt(event) - grip));
  const timeAt = ({ clientX }) => {
    const { left, width } = strip.getBoundingClientRect();
    return ((clientX - left) / width) * lanes.seconds;
  };
  strip.addEventListener("pointerdown", (event) => {
    const { start, end } = lanes.view;
    const time = timeAt(event);
    grip = start <= time && time < end ? time - start : (end - start) / 2;
    strip.setPointerCapture(event.pointerId);
    drag(event);
  });
  strip.addEventListener("pointermove", (event) => strip.hasPointerCapture(event.pointerId) && drag(event));
}

function draw(canvas, lanes) {
  const { clientWidth: width, clientHeight: height } = canvas;
  canvas.width = pixels(width);
  canvas.height = pixels(height);
  const pen = canvas.getContext("2d");
  pen.scale(canvas.width / width, canvas.height / height);
  for (const [speaker, lane] of lanes.canvases) {
    pen.fillStyle = getComputedStyle(lane).color;
    for (const [start, end] of lanes.turns.get(speaker)) {
      const left = (start / lanes.seconds) * width;
      pen.fillRect(left, 0, Math.max(((end - start) / lanes.seconds) * width, 1), height);
    }
  }
}

function pixels(length) {
  return Math.round(length * (devicePixelRatio || 1));
}

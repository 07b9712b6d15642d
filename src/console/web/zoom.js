// Moving along a plot: drag or one finger to move, two fingers or Ctrl and the wheel to zoom, double click for the newest bars.

/** `chart` has range, show(), zoom(), newest(). */
export function zoomable(plot, chart) {
  const { over } = plot, fingers = new Map();
  let begun = null;
  const left = (event) => event.clientX - over.getBoundingClientRect().left;
  const perPx = () => (chart.range[1] - chart.range[0]) / over.clientWidth;

  const begin = () => {
    const at = [...fingers.values()];
    if (!at.length) { begun = null; return; }
    const middle = at.reduce((sum, x) => sum + x, 0) / at.length;
    const apart = at.length > 1 ? Math.max(20, Math.abs(at[0] - at[1])) : null;
    begun = { middle, apart, range: chart.range };
  };
  over.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    fingers.set(event.pointerId, left(event));
    begin();
  });
  over.addEventListener("pointermove", (event) => {
    if (!fingers.has(event.pointerId) || !begun) return;
    fingers.set(event.pointerId, left(event));
    const at = [...fingers.values()], middle = at.reduce((sum, x) => sum + x, 0) / at.length;
    if (Math.abs(middle - begun.middle) < 4 && at.length === 1) return;
    // Only now: a mere tap or click must reach uPlot, which moves the cursor.
    if (event.pointerType === "mouse") over.setPointerCapture(event.pointerId);
    const [from, until] = begun.range, width = until - from;
    const scale = begun.apart ? begun.apart / Math.max(20, Math.abs(at[0] - at[1])) : 1;
    const under = from + (begun.middle / over.clientWidth) * width;
    const start = under - (middle / over.clientWidth) * width * scale;
    chart.show([start, start + width * scale]);
  });
  const end = (event) => { fingers.delete(event.pointerId); begin(); };
  over.addEventListener("pointerup", end);
  over.addEventListener("pointercancel", end);
  over.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.shiftKey) return;
    event.preventDefault();
    if (event.shiftKey) chart.show(chart.range.map((edge) => edge + (event.deltaY || event.deltaX) * perPx()));
    else chart.zoom(event.deltaY > 0 ? 1.2 : 1 / 1.2, chart.range[0] + left(event) * perPx());
  }, { passive: false });
  over.addEventListener("dblclick", (event) => { event.stopImmediatePropagation(); chart.show(chart.newest()); }, true);
}

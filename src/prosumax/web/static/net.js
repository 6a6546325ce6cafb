// Network drawing: homes around a circle, one curve per flow whose width is its power, and dots that
// move along the curves while it plays. Texts are set as text content only, and nothing moves where
// the device asks for reduced motion.
const SVG = 'http://www.w3.org/2000/svg';
const make = (name, attributes, parent, kind = SVG) => {
  const node = kind ? document.createElementNS(kind, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  parent?.append(node);
  return node;
};
const DAY_S = 12;

class Network extends HTMLElement {
  #content = null; #hour = 12; #shown = null; #flows = new Map(); #playing = false;
  set content(value) { this.#content = value; if (this.isConnected) this.#build(); }
  get content() { return this.#content; }
  set hour(value) { this.#hour = Number(value); this.#shown = null; this.#update(); }
  get hour() { return this.#hour; }

  connectedCallback() {
    this.resized = new ResizeObserver(() => this.#build());
    this.resized.observe(this);
    this.#build();
  }
  disconnectedCallback() { this.#playing = false; this.resized?.disconnect(); }

  #reducedMotion() { return matchMedia('(prefers-reduced-motion: reduce)').matches; }

  #build() {
    const { homes, flows, labels } = this.#content ?? {};
    const width = Math.round(this.clientWidth);
    if (!homes || !width || (this.width === width && this.drawn === this.#content)) return;
    const focused = this.contains(document.activeElement) ? document.activeElement.dataset.part : null;
    [this.width, this.drawn] = [width, this.#content];
    this.replaceChildren();
    this.#flows.clear();
    const height = Math.min(Math.max(width * 0.86, 260), 400), radius = Math.min(width / 2 - 62, height / 2 - 48);
    this.svg = make('svg', { viewBox: `0 0 ${width} ${height}`, width, height, role: 'img' }, this);
    const lines = make('g', { fill: 'none', stroke: '#E69F00', 'stroke-linecap': 'round' }, this.svg);
    this.dots = make('g', { fill: '#B36B00' }, this.svg);
    const positions = homes.map((_, at) => {
      const angle = (2 * Math.PI * (at + 0.5)) / homes.length - Math.PI / 2;
      return [width / 2 + radius * Math.cos(angle), height / 2 + radius * Math.sin(angle), angle];
    });
    for (const [hour, seller, buyer, kw] of flows) {
      const key = `${seller}-${buyer}`;
      if (!this.#flows.has(key)) {
        const [[x1, y1], [x2, y2]] = [positions[seller], positions[buyer]];
        const bend = (a, b, middle) => (a + b) / 2 * 0.45 + middle * 0.55 + (seller < buyer ? 9 : -9);
        const path = make('path', { d: `M${x1} ${y1}Q${bend(x1, x2, width / 2)} ${bend(y1, y2, height / 2)} ${x2} ${y2}` }, lines);
        const dot = make('circle', { r: 4.5 }, this.dots);
        this.#flows.set(key, { path, dot, power: Array(24).fill(0), length: path.getTotalLength(), phase: (seller * 7 + buyer * 3) % 10 / 10 });
      }
      this.#flows.get(key).power[hour] = kw;
    }
    this.maxPower = Math.max(0.05, ...flows.map((flow) => flow[3]));
    homes.forEach(({ name, solar, battery }, at) => {
      const [x, y, angle] = positions[at], size = homes.length > 9 ? 17 : 20;
      make('circle', { cx: x, cy: y, r: size, fill: solar ? '#FFF6DE' : '#E9F1F8', stroke: solar ? '#B36B00' : '#005B96', 'stroke-width': 2 }, this.svg);
      make('text', { x, y: y + 6, 'text-anchor': 'middle', 'font-size': 18, fill: '#1B2730', 'aria-hidden': true }, this.svg).textContent = solar ? '☀' : '⌂';
      if (battery) {
        make('rect', { x: x + size * 0.55, y: y + size * 0.35, width: 15, height: 9, rx: 2, fill: '#008F6B', stroke: '#fff', 'stroke-width': 1.5 }, this.svg);
      }
      const above = Math.sin(angle) < 0, label = make('text', { x, y: y + (above ? -size - 8 : size + 18), 'text-anchor': 'middle', 'font-size': 14, fill: '#1B2730' }, this.svg);
      label.textContent = name.length > 13 ? name.slice(0, 12) + '…' : name;
    });
    this.line = make('p', { class: 'x-sentence' }, this, null);
    const bar = make('div', { class: 'x-net-bar' }, this, null);
    this.button = make('button', { class: 'x-button', type: 'button', 'data-part': 'play' }, bar, null);
    this.button.hidden = this.#reducedMotion();
    this.button.addEventListener('click', () => (this.#playing ? this.#stop() : this.#play()));
    this.slider = make('input', { class: 'x-range', type: 'range', min: 0, max: 23, step: 1, 'aria-label': labels.time, 'data-part': 'time' }, bar, null);
    this.slider.addEventListener('input', () => { this.#stop(); this.#hour = Number(this.slider.value); this.#update(); this.#emitHour(); });
    this.clock = make('output', { class: 'x-net-clock' }, bar, null);
    if (focused) this.querySelector(`[data-part="${focused}"]`)?.focus();
    this.#shown = null;
    this.#update();
  }

  #update(progress = null) {
    if (!this.svg || !this.#content) return;
    const hour = Math.floor(this.#hour) % 24, share = this.#hour - Math.floor(this.#hour);
    for (const { path, dot, power, length, phase } of this.#flows.values()) {
      const kw = power[hour] * (1 - share) + power[(hour + 1) % 24] * share, visible = kw > 0.004;
      path.setAttribute('stroke-width', visible ? 1.5 + 10 * kw / this.maxPower : 0);
      path.setAttribute('opacity', visible ? 0.75 : 0);
      dot.setAttribute('opacity', visible ? 1 : 0);
      if (!visible) continue;
      const at = path.getPointAtLength(length * (progress === null ? 0.66 : (progress + phase) % 1));
      dot.setAttribute('cx', at.x);
      dot.setAttribute('cy', at.y);
    }
    if (this.#shown === hour) return;
    this.#shown = hour;
    this.line.textContent = this.#content.sentences[hour];
    this.svg.setAttribute('aria-label', this.#content.sentences[hour]);
    this.slider.value = hour;
    this.clock.textContent = `${String(hour).padStart(2, '0')}:00`;
    this.slider.setAttribute('aria-valuetext', this.clock.textContent);
    this.button.textContent = this.#content.labels[this.#playing ? 'pause' : 'play'];
  }

  #play() {
    this.#playing = true;
    this.#shown = null;
    let previous = performance.now(), elapsed = 0;
    const step = (now) => {
      if (!this.#playing || this.#reducedMotion()) return this.#stop();
      const passed = Math.min(now - previous, 100) / 1000;
      previous = now;
      elapsed += passed;
      this.#hour = (this.#hour + (24 * passed) / DAY_S) % 24;
      this.#update(elapsed / 1.6);
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  #stop() {
    if (!this.#playing) return;
    this.#playing = false;
    this.#hour = Math.floor(this.#hour);
    this.#shown = null;
    this.#update();
    this.#emitHour();
  }

  #emitHour() { this.dispatchEvent(new CustomEvent('hour', { detail: Math.floor(this.#hour) })); }
}
customElements.define('px-network', Network);

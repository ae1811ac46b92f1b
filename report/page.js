'use strict';
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const source = row => 'data:image/jpeg;base64,' + data.thumbs[row];
  for (const img of document.querySelectorAll('img[data-row]')) {
    if (data.thumbs[img.dataset.row]) img.src = source(img.dataset.row);
  }

  const map = data.map, canvas = document.getElementById('plot');
  if (!map || !canvas) return;
  const context = canvas.getContext('2d'), n = map.x.length, side = 4096;
  const card = {image: document.getElementById('card-image'), none: document.getElementById('card-none'), text: document.getElementById('card-text')};
  const withPicture = [];
  for (let i = 0; i < n; i++) if (data.thumbs[map.rows[i]]) withPicture.push(i);

  // The view: a point x, y of the map is at (x - view.x) * view.scale from the middle of the canvas.
  const view = {x: side / 2, y: side / 2, scale: 1};
  let width = 0, height = 0, least = 1, current = -1, held = false, frame = 0;
  const style = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // A grid over the map finds the points near a place.
  const cells = 128, grid = new Map();
  const cellOf = v => Math.min(cells - 1, v * cells / side | 0);
  for (let i = 0; i < n; i++) {
    const key = cellOf(map.x[i]) * cells + cellOf(map.y[i]);
    if (grid.has(key)) grid.get(key).push(i); else grid.set(key, [i]);
  }
  const screenX = i => (map.x[i] - view.x) * view.scale + width / 2;
  const screenY = i => (view.y - map.y[i]) * view.scale + height / 2;

  function nearest(px, py, reach) {
    const x = (px - width / 2) / view.scale + view.x, y = view.y - (py - height / 2) / view.scale, r = reach / view.scale;
    let best = -1, least = r * r;
    for (let cx = cellOf(Math.max(0, x - r)); cx <= cellOf(Math.max(0, x + r)); cx++) {
      for (let cy = cellOf(Math.max(0, y - r)); cy <= cellOf(Math.max(0, y + r)); cy++) {
        for (const i of grid.get(cx * cells + cy) || []) {
          const dx = map.x[i] - x, dy = map.y[i] - y, d = dx * dx + dy * dy;
          if (d <= least) { best = i; least = d; }
        }
      }
    }
    return best;
  }

  const pictures = new Map();
  function picture(i) {
    let img = pictures.get(i);
    if (!img) {
      img = new Image();
      img.onload = draw;
      img.src = source(map.rows[i]);
      pictures.set(i, img);
    }
    return img.complete && img.naturalWidth ? img : null;
  }

  function paint() {
    frame = 0;
    const ratio = window.devicePixelRatio || 1, colour = style('--point');
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const zoom = view.scale / least, size = Math.min(7, (n > 5000 ? 2.2 : n > 500 ? 3.2 : 5) * Math.pow(zoom, 0.35));
    context.fillStyle = `rgba(${colour},${n > 5000 ? 0.35 : 0.6})`;
    for (let i = 0; i < n; i++) {
      const x = screenX(i), y = screenY(i);
      if (x > -9 && y > -9 && x < width + 9 && y < height + 9) context.fillRect(x - size / 2, y - size / 2, size, size);
    }
    if (document.getElementById('pictures').checked) {
      const taken = new Set(), edge = 44;
      for (const i of withPicture) {
        const x = screenX(i), y = screenY(i), key = Math.round(x / (edge + 6)) + ',' + Math.round(y / (edge + 6));
        if (x < -edge || y < -edge || x > width + edge || y > height + edge || taken.has(key)) continue;
        const img = picture(i);
        taken.add(key);
        if (img) context.drawImage(img, x - edge / 2, y - edge / 2, edge, edge);
      }
    }
    if (current >= 0) {
      context.beginPath();
      context.arc(screenX(current), screenY(current), 8, 0, 2 * Math.PI);
      context.lineWidth = 2.5;
      context.strokeStyle = style('--ink');
      context.stroke();
    }
  }
  const draw = () => { if (!frame) frame = requestAnimationFrame(paint); };

  function show(i) {
    if (i === current) return;
    current = i;
    const thumb = i >= 0 && data.thumbs[map.rows[i]];
    card.image.hidden = !thumb;
    card.none.hidden = i < 0 || !!thumb;
    if (thumb) { card.image.src = source(map.rows[i]); card.image.alt = map.ids[i]; }
    card.text.textContent = i < 0 ? 'Point at a dot.' : map.prefix + map.ids[i];
    draw();
  }

  function zoom(factor, px, py) {
    const scale = Math.min(Math.max(view.scale * factor, least * 0.5), least * 400);
    view.x += (px - width / 2) * (1 / view.scale - 1 / scale);
    view.y -= (py - height / 2) * (1 / view.scale - 1 / scale);
    view.scale = scale;
    draw();
  }
  function all() {
    view.x = view.y = side / 2;
    view.scale = least;
    draw();
  }
  function measure() {
    const box = canvas.getBoundingClientRect(), ratio = window.devicePixelRatio || 1, before = view.scale / least;
    width = box.width;
    height = box.height;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    let wide = 1, tall = 1;
    for (let i = 0; i < n; i++) {
      wide = Math.max(wide, 2 * Math.abs(map.x[i] - side / 2));
      tall = Math.max(tall, 2 * Math.abs(map.y[i] - side / 2));
    }
    least = Math.min((width - 40) / wide, (height - 40) / tall);
    view.scale = least * before;
    draw();
  }

  const fingers = new Map();
  let moved = 0;
  const at = event => { const box = canvas.getBoundingClientRect(); return {x: event.clientX - box.left, y: event.clientY - box.top}; };
  canvas.addEventListener('pointerdown', event => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, at(event));
    moved = 0;
  });
  canvas.addEventListener('pointermove', event => {
    const now = at(event), before = fingers.get(event.pointerId);
    if (!before) {
      if (!held) show(nearest(now.x, now.y, 14));
      return;
    }
    const others = [...fingers.entries()].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
    if (others.length) {
      const apart = p => Math.hypot(p.x - others[0].x, p.y - others[0].y) || 1;
      zoom(apart(now) / apart(before), (now.x + others[0].x) / 2, (now.y + others[0].y) / 2);
    } else {
      view.x -= (now.x - before.x) / view.scale;
      view.y += (now.y - before.y) / view.scale;
      canvas.classList.add('drag');
      draw();
    }
    moved += Math.hypot(now.x - before.x, now.y - before.y);
    fingers.set(event.pointerId, now);
  });
  const release = event => {
    const place = fingers.get(event.pointerId);
    fingers.delete(event.pointerId);
    canvas.classList.remove('drag');
    if (event.type === 'pointerup' && place && moved < 5) {
      const i = nearest(place.x, place.y, 18);
      held = i >= 0;
      show(i);
    }
  };
  canvas.addEventListener('pointerup', release);
  canvas.addEventListener('pointercancel', release);
  canvas.addEventListener('wheel', event => {
    event.preventDefault();
    const p = at(event);
    zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), p.x, p.y);
  }, {passive: false});
  canvas.addEventListener('keydown', event => {
    const step = 60 / view.scale;
    const turn = by => {
      if (!withPicture.length) return;
      const place = withPicture.indexOf(current);
      const i = withPicture[place < 0 ? 0 : (place + by + withPicture.length) % withPicture.length];
      held = true;
      show(i);
      const x = screenX(i), y = screenY(i);
      if (x < 20 || y < 20 || x > width - 20 || y > height - 20) { view.x = map.x[i]; view.y = map.y[i]; draw(); }
    };
    const keys = {
      ArrowLeft: () => { view.x -= step; }, ArrowRight: () => { view.x += step; }, ArrowUp: () => { view.y += step; }, ArrowDown: () => { view.y -= step; },
      '+': () => zoom(1.4, width / 2, height / 2), '=': () => zoom(1.4, width / 2, height / 2), '-': () => zoom(1 / 1.4, width / 2, height / 2),
      0: all, n: () => turn(1), p: () => turn(-1),
      Enter: () => { held = false; show(-1); show(nearest(width / 2, height / 2, 80)); held = current >= 0; },
      Escape: () => { held = false; show(-1); },
    };
    if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
    draw();
  });
  document.getElementById('in').addEventListener('click', () => zoom(1.6, width / 2, height / 2));
  document.getElementById('out').addEventListener('click', () => zoom(1 / 1.6, width / 2, height / 2));
  document.getElementById('all').addEventListener('click', all);
  document.getElementById('pictures').addEventListener('change', draw);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
  new ResizeObserver(measure).observe(canvas);
  measure();
})();

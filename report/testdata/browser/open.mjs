// Opens a report in Chromium with the network off and prints what it found as JSON: open.mjs REPORT.html [SCREENSHOTS].
// It judges nothing; browser_test.go does.
import {createRequire} from 'node:module';
import {pathToFileURL} from 'node:url';

const require = createRequire(process.env.IMGVEC_BROWSER + '/package.json');
const {default: binary} = await import(pathToFileURL(require.resolve('@sparticuz/chromium')));
const {chromium} = require('playwright-core');
const [,, file, shots] = process.argv;

const browser = await chromium.launch({
  executablePath: await binary.executablePath(), headless: true,
  args: ['--no-sandbox', '--use-gl=angle', '--use-angle=swiftshader', '--in-process-gpu'],
});
const views = [
  {name: 'light', width: 1280, height: 900, scheme: 'light'},
  {name: 'dark', width: 1280, height: 900, scheme: 'dark'},
  {name: 'narrow', width: 390, height: 800, scheme: 'light'},
];
const out = {browser: browser.version(), views: []};
for (const view of views) out.views.push(await look(view));
await browser.close();
console.log(JSON.stringify(out));

async function look({name, width, height, scheme}) {
  const context = await browser.newContext({viewport: {width, height}, colorScheme: scheme, offline: true});
  const page = await context.newPage();
  const seen = {name, console: [], requests: []};
  page.on('console', m => {
    if (!m.text().includes('willReadFrequently')) seen.console.push(m.type() + ': ' + m.text()); // that is about the test's own reading
  });
  page.on('pageerror', e => seen.console.push('error: ' + e.message));
  page.on('dialog', d => { seen.console.push('dialog: ' + d.message()); d.dismiss(); });
  page.on('request', r => { if (!r.url().startsWith('data:')) seen.requests.push(r.url()); });
  const start = Date.now();
  await page.goto(pathToFileURL(file).href, {waitUntil: 'load'});
  await page.evaluate(() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))));
  seen.openMilliseconds = Date.now() - start;
  Object.assign(seen, await page.evaluate(() => ({
    title: document.title,
    scripts: document.scripts.length,
    hacked: typeof window.hacked,
    headings: [...document.querySelectorAll('h2')].map(h => h.textContent),
    images: document.querySelectorAll('main img[data-row]').length,
    loaded: [...document.querySelectorAll('main img[data-row]')].filter(i => i.complete && i.naturalWidth > 0).length,
    withoutAlt: [...document.querySelectorAll('main img[data-row]')].filter(i => !i.alt).length,
    broken: [...document.querySelectorAll('.broken')].map(b => b.getAttribute('aria-label')),
    overflow: document.documentElement.scrollWidth - innerWidth,
    background: getComputedStyle(document.body).backgroundColor,
    text: document.body.innerText.length,
  })));
  if (await page.$('#plot')) seen.map = await tryMap(page);
  for (const id of shots ? ['top', 'map', 'neighbours', 'duplicates', 'failures', 'distributions', 'file'] : []) {
    await page.evaluate(id => { (document.getElementById(id) || document.body).scrollIntoView({behavior: 'instant'}); }, id);
    await page.waitForTimeout(100);
    await page.screenshot({path: `${shots}/${name}-${id}.png`});
  }
  await context.close();
  return seen;
}

// tryMap points at a dot that has a picture, holds it, lets it go, and goes on by keys.
async function tryMap(page) {
  const plot = page.locator('#plot');
  await plot.scrollIntoViewIfNeeded();
  const box = await plot.boundingBox();
  const dot = await page.evaluate(({width, height}) => {
    const {map, thumbs} = JSON.parse(document.getElementById('data').textContent);
    const middle = 2048, far = list => Math.max(1, ...list.map(v => 2 * Math.abs(v - middle)));
    const scale = Math.min((width - 40) / far(map.x), (height - 40) / far(map.y));
    // A dot that no other lies near, so that it is clear which one is meant; clear of the tools and the card.
    for (let i = 0; i < map.x.length; i++) {
      const x = (map.x[i] - middle) * scale + width / 2, y = (middle - map.y[i]) * scale + height / 2;
      if (!thumbs[map.rows[i]] || y < 60 || x > width - 230 && y < 260 || x < 5 || y > height - 5) continue;
      if (map.x.every((v, j) => j === i || Math.hypot(v - map.x[i], map.y[j] - map.y[i]) * scale > 1)) {
        return {x, y, id: map.prefix + map.ids[i]};
      }
    }
    return null;
  }, box);
  if (!dot) return {dot};
  const card = async () => ({
    text: await page.textContent('#card-text'),
    picture: await page.evaluate(() => { const i = document.getElementById('card-image'); return !i.hidden && i.complete && i.naturalWidth > 0; }),
  });
  // Only how many pixels are drawn is compared: the browser goes from one way of drawing to another
  // when it is read from, which changes some at the edges.
  const pixels = () => page.evaluate(() => {
    const c = document.getElementById('plot'), d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
    let n = 0;
    for (let i = 3; i < d.length; i += 4) if (d[i]) n++;
    return n;
  });
  const settle = () => page.evaluate(() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(done)))));
  const seen = {dot: dot.id, drawn: await pixels()};
  await page.mouse.move(box.x + dot.x, box.y + dot.y);
  await settle();
  seen.hover = await card();
  await page.mouse.down();
  await page.mouse.up();
  await page.mouse.move(box.x + 3, box.y + box.height - 3);
  await settle();
  seen.held = await card();
  await page.focus('#plot');
  await page.keyboard.press('Escape');
  await settle();
  seen.released = await card();
  const before = await pixels();
  await page.keyboard.press('+');
  await page.keyboard.press('ArrowLeft');
  await settle();
  seen.zoomed = Math.abs(await pixels() - before) > before / 10;
  await page.keyboard.press('0');
  await settle();
  const after = await pixels();
  seen.back = Math.abs(after - before) < before / 20;
  await page.keyboard.press('n');
  await settle();
  seen.next = await card();
  await page.check('#pictures');
  await settle();
  seen.pictures = await pixels() > before;
  await page.uncheck('#pictures');
  await page.focus('#plot');
  return seen;
}

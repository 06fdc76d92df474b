// Appended to a copy of a report by report.sh: measures the page as a browser has drawn it, and writes one JSON object.
'use strict';
addEventListener('load', () => {
  const rgb = text => { const m = text.match(/[\d.]+/g).map(Number); return m.length > 3 ? m : [...m, 1]; };
  const light = c => c.slice(0, 3).map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0); // WCAG 2.1, relative luminance
  const contrast = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const ground = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c[3] > 0.99) return c; } return [255, 255, 255, 1]; };
  for (const d of document.querySelectorAll('details')) d.open = true;
  let words = 99, least = '', texts = 0;
  const walk = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement, text = walk.currentNode.nodeValue.trim();
    if (!text || e.closest('script,style,#tip,title') || !e.getClientRects().length) continue;
    const c = contrast(rgb(getComputedStyle(e).color), ground(e));
    texts++;
    if (c < words) { words = c; least = text; }
  }
  let lines = 99;
  for (const e of document.querySelectorAll('path.l,.swapline,.limit'))
    lines = Math.min(lines, contrast(rgb(getComputedStyle(e).stroke), ground(e.closest('.card'))));
  const box = e => e.getBoundingClientRect();
  const small = [...document.querySelectorAll('.x,.y,.legend,.says,.when')].filter(e => e.getClientRects().length)
    .reduce((least, e) => Math.min(least, parseFloat(getComputedStyle(e).fontSize)), 99);
  const wide = [...document.querySelectorAll('main *')].filter(e => e.getClientRects().length && box(e).right > innerWidth + 0.5);
  const clash = [...document.querySelectorAll('.plot,.axisrow .strip')].reduce((n, p) => { // labels of one axis over one another
    const x = [...p.querySelectorAll('.x')].map(box);
    return n + x.filter((a, i) => i && a.left < x[i - 1].right).length;
  }, 0);
  const out = {
    width: innerWidth, dark: matchMedia('(prefers-color-scheme:dark)').matches, overflow: document.documentElement.scrollWidth - innerWidth,
    wide: wide.map(e => e.className || e.tagName).slice(0, 5), words, least, texts, lines, small, clash,
    charts: [...document.querySelectorAll('.plot')].filter(e => box(e).width > 200 && box(e).height > 100 && box(e.querySelector('path.model')).width > 100).length,
    bands: document.querySelectorAll('path.band').length,
    rollbacks: [...document.querySelectorAll('.swapline.rollback')].filter(e => box(e).height > 100).length,
    arrows: [...document.querySelectorAll('.plot .m.rollback')].filter(e => box(e).width > 8).length,
    features: [...document.querySelectorAll('[data-feature]')].map(e => ({
      name: e.dataset.feature, shown: e.querySelector('.name').textContent, state: e.querySelector('.tag').textContent,
      beyond: [...e.querySelectorAll('path.fill-bad')].filter(p => box(p).width > 3 && box(p).height > 3).length })),
    scripts: document.scripts.length, title: document.title, ready: document.documentElement.dataset.ready || '',
  };
  const pre = document.createElement('pre');
  pre.id = 'probe';
  pre.textContent = JSON.stringify(out);
  parent.document.body.append(pre);
});

/*
 * The chat on a company's pages. One file, no dependencies; as served it is at most 20 KB.
 *
 *   <script src="https://HOST/_kontor/widget/v1/widget.js" data-widget="ID" async></script>
 *
 * Optional: data-lang="pl", data-identity="TOKEN". On the page: Kontor.identify(token), Kontor.reset()
 * (call it on logout), Kontor.open(), Kontor.close().
 *
 * It lives in a shadow root with an adopted style sheet, so neither the page's styles nor its policy
 * for inline styles matter. Text becomes text nodes; no markup is ever parsed. Lines that are comments
 * are not served.
 */
(() => {
'use strict';
const tag = document.currentScript;
if (!tag || window.Kontor) return;
const W = tag.dataset.widget, BASE = new URL('.', tag.src).href, KEY = 'kontor.' + W;
const VISITOR = 'visitor', MESSAGE = 'message', LABEL = 'aria-label', HIDDEN = 'aria-hidden';
const attr = (e, name, value) => e.setAttribute(name, value), on = (e, name, act) => e.addEventListener(name, act);
const doc = document, later = (f, ms) => setTimeout(f, ms);
// What of the window is touched later.
let $root, $box, $panel, $log, $hello, $typing, $lost, $said, $extra, $text, $foot, $menu, $more, $badge, $launch, $kind;
const waits = [];
let C, T, S = {}, run = 0, next = -1, readId = '', typing = false, cut, busy, shown;
const log = new Map();

// --- what survives a reload: the token, what was read, what is not sent yet ---------------------------
const store = (key, value) => {
  try {
    if (value === undefined) return localStorage.getItem(key);
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch { /* a browser that keeps nothing */ }
};
const load = () => { try { S = JSON.parse(store(KEY)) || S; } catch { S = {}; } };
const save = () => store(KEY, JSON.stringify(S));
const outKey = id => `${KEY}.out.${id}`;
const unsent = () => {
  const all = [];
  try {
    for (const key of Object.keys(localStorage))
      if (key.startsWith(outKey(''))) all.push(JSON.parse(localStorage[key]));
  } catch { /* nothing is kept */ }
  return all.sort((a, b) => a.at - b.at);
};
const drop = m => store(outKey(m.id), null);
const spoke = () => { S.spoken = true; save(); };
const uuid = () => crypto.randomUUID ? crypto.randomUUID()
  : Array.from(crypto.getRandomValues(new Uint8Array(16)), b => b.toString(16).padStart(2, 0)).join('');

// --- elements -------------------------------------------------------------------------------------------
const h = (name, props, ...kids) => {
  const [type, cls] = name.split('.'), e = doc.createElement(type);
  if (cls) e.className = cls;
  if (type === 'button') e.type = type;
  // The second argument may be left out.
  if (props && props.constructor !== Object) kids.unshift(props), props = {};
  for (const k in props) {
    const v = props[k];
    if (k.startsWith('on')) on(e, k.slice(2), v);
    else if (v != null && v !== false) attr(e, k, v === true ? '' : v);
  }
  e.append(...kids.flat().filter(k => k != null));
  return e;
};
const svgNs = 'http://www.w3.org/2000/svg';
const icon = d => {
  const s = doc.createElementNS(svgNs, 'svg'), p = doc.createElementNS(svgNs, 'path');
  attr(s, 'viewBox', '0 0 24 24');
  attr(s, HIDDEN, 'true');
  attr(p, 'd', d);
  s.append(p);
  return s;
};
const I = {
  chat: 'M4 5h16v11H9l-5 4z', close: 'M6 6l12 12M18 6L6 18', send: 'M4 12h15M13 6l6 6-6 6',
  file: 'M20 11l-8.5 8.5a5 5 0 01-7-7L13 4a3.4 3.4 0 015 5l-8.5 8.500a1.700 1.700 0 01-2.500-2.500L15 7',
  menu: 'M5 12h.01M12 12h.01M19 12h.01',
};
const button = (label, d, onclick, cls) =>
  h('button', { class: 'i ' + (cls || ''), [LABEL]: label, title: label, onclick }, icon(d));
const fill = (text, n) => text.replace('{n}', n);

// Links in plain text; everything stays text.
const links = text => text.split(/(https?:\/\/[^\s<>"]+[^\s<>".,;:!?)\]}'»”])/).map((part, i) => i % 2 ? link(part, part) : part);
const link = (href, ...kids) => /^(https?:|mailto:|tel:)/i.test(href)
  ? h('a', { href, target: '_blank', rel: 'noreferrer' }, ...kids) : h('span', ...kids);
const rich = nodes => nodes.flatMap(n => typeof n === 'string' ? links(n)
  : n.t === 'a' ? link(n.h || '', ...n.c.map(c => typeof c === 'string' ? c : h('span', rich([c]))))
  : /^(b|i|s|code|pre|ul|ol|li|p|blockquote)$/.test(n.t) ? h(n.t, rich(n.c)) : rich(n.c || []));

// --- the server -------------------------------------------------------------------------------------------
const call = async (path, body, signal, method = body ? 'POST' : 'GET') => {
  const headers = S.token ? { authorization: 'Bearer ' + S.token } : {};
  const form = body instanceof FormData;
  if (body && !form) headers['content-type'] = 'application/json';
  const url = `${BASE}${path}${path.includes('?') ? '&' : '?'}w=${encodeURIComponent(W)}`;
  const r = await fetch(url, { method, headers, signal, credentials: 'omit', body: form || !body ? body : JSON.stringify(body) });
  if (r.ok) return r.status === 204 ? null : path.startsWith('files/') ? r.blob() : r.json();
  const e = new Error(path);
  e.status = r.status;
  e.wait = r.headers.get('retry-after') * 1000;
  throw e;
};
const tried = async act => { try { return await act(); } catch (e) { fail(why(e)); } };
const why = e => e.status === 413 ? T.too_large : e.status === 429 ? T.too_many : e.status === 422 ? T.refused : T.broken;
const origin = () => {
  const q = new URLSearchParams(location.search), utm = {};
  for (const [k, v] of q) if (k.startsWith('utm_')) utm[k.slice(4)] = v;
  return { page: location.href.slice(0, 500), referrer: doc.referrer.slice(0, 500) || undefined, utm };
};
// One tab at a time decides who we are; the others then find it decided.
const alone = act => navigator.locks ? navigator.locks.request(KEY, act) : act();
const session = more => alone(async () => {
  load();
  if (S.token && !more) return;
  const r = await call('session', { language: C.language, ...origin(), ...more });
  if (S.id && S.id !== r.visitor_id) { S = {}; unsent().forEach(drop); clear(); }
  S = { ...S, token: r.visitor_token, id: r.visitor_id, spoken: !!r.conversation };
  save();
});
const forget = () => {
  run++;
  cut?.abort();
  S = {};
  store(KEY, null);
  unsent().forEach(drop);
  clear();
};
const clear = () => {
  log.clear();
  next = -1; readId = ''; typing = false;
  if ($box) { $log.replaceChildren($hello); view(); }
};

// --- the conversation ---------------------------------------------------------------------------------------
const poll = async () => {
  const mine = ++run;
  cut?.abort();
  let fails = 0;
  while (mine === run && S.token) {
    cut = new AbortController();
    const timer = later(() => cut.abort(), 40000);
    try {
      const r = await call(`events?since=${next}&typing=${+typing}&read=${readId}`, null, cut.signal);
      if (mine !== run) return;
      fails = 0;
      $lost.hidden = true;
      if (r.reset) clear();
      else take(r);
      flush();
    } catch (e) {
      if (mine !== run) return;
      if (e.status === 401) return forget();
      $lost.hidden = !fails++;
      await pause(fails, e.wait);
    } finally { clearTimeout(timer); }
  }
};
const wake = () => waits.splice(0).forEach(done => done());
// Longer with every failure, never all at once; the network coming back ends it.
const pause = (fails, wait) => new Promise(done => {
  waits.push(done);
  later(done, Math.max(wait || 0, Math.min(30000, 500 * 2 ** fails) * (.5 + Math.random() / 2)));
});
const take = r => {
  const from = r.from;
  // A number is missing: begin again with what is newest.
  if (next >= 0 && from > next) return void (next = -1);
  if (next < 0) next = from;
  for (const e of r.events) {
    if (e.seq) {
      if (e.seq <= next) continue;
      next = e.seq;
    }
    apply(e);
  }
  next = Math.max(next, r.next);
  unread();
};
const apply = e => {
  if (e.kind === 'typing') return setTyping(e.on, e.name);
  if (e.kind === 'read') { readId = e.id; return log.forEach(m => m.from === VISITOR && draw(m)); }
  const m = log.get(e.id);
  if (e.kind === MESSAGE) {
    if (e.from === 'agent') setTyping(false);
    else if (!S.spoken) spoke();
    put({ ...m, ...e, state: 'sent' });
  } else if (e.kind === 'closed') note(T.ended);
  else if (m) {
    if (e.kind === 'edit') Object.assign(m, { text: e.text, rich: e.rich, edited: true });
    if (e.kind === 'delete' || e.gone) m.gone = true;
    if (e.kind === 'reaction') m.reaction = e.key;
    draw(m);
  }
};
const put = m => {
  const old = log.get(m.id);
  m.el = old ? old.el : h('div', { class: 'm ' + m.from[0] });
  log.set(m.id, m);
  draw(m);
  const key = x => x.seq || 1e15 + x.at;
  let after;
  log.forEach(x => { if (key(x) > key(m) && (!after || key(x) < key(after))) after = x; });
  const low = $log.scrollHeight - $log.scrollTop - $log.clientHeight < 90;
  if (!old || (after ? after.el : null) !== m.el.nextElementSibling) $log.insertBefore(m.el, after ? after.el : null);
  if (low || m.from === VISITOR) bottom();
};
const bottom = () => { $log.scrollTop = $log.scrollHeight; };
const note = text => { $log.append(h('div.n', text)); bottom(); };
const time = at => {
  const d = new Date(at), today = d.toDateString() === new Date().toDateString();
  return d.toLocaleString(C.language, { hour: '2-digit', minute: '2-digit', ...(today ? {} : { day: 'numeric', month: 'short' }) });
};
const draw = m => {
  const body = h('div.b', null);
  if (m.gone) body.append(h('i', T.deleted));
  else {
    if (m.file) body.append(file(m));
    if (m.text) body.append(h('div', m.rich ? rich(m.rich) : links(m.text)));
  }
  const meta = h('div.t', [m.name, time(m.at), m.edited && T.edited].filter(x => x).join(' · '));
  if (m.from === VISITOR) {
    const seen = readId && log.get(readId), isRead = seen && (seen.seq >= m.seq);
    meta.append(' · ', m.state === 'failed' ? '' : m.state === 'sending' ? T.sending : isRead ? T.seen : T.sent);
    if (m.state === 'failed') meta.append(h('span.bad', m.error || T.failed), ' ',
      h('button.l', { onclick: () => again(m) }, T.again));
  }
  m.el.replaceChildren(body, ...(m.reaction ? [h('span.r', m.reaction)] : []), meta);
};
const file = m => {
  const f = m.file, image = /^image\/(png|jpeg|gif|webp)$/.test(f.type);
  const chip = h(f.get ? 'button' : 'div', { class: 'f', title: f.get && T.save_file, onclick: f.get && (async () => {
    const url = m.url || await get();
    url && h('a', { href: url, download: f.name }).click();
  }) }, icon(I.file), h('span', f.name), f.size ? h('small', f.size > 1e6 ? (f.size / 1e6).toFixed(1) + ' MB' : Math.ceil(f.size / 1e3) + ' kB') : '');
  const get = () => tried(async () => m.url = URL.createObjectURL(await call('files/' + m.seq)));
  if (!image || !(m.url || f.get)) return chip;
  const img = h('img', { alt: f.name, onerror: () => img.remove(), onload: bottom });
  if (m.url) img.src = m.url;
  else get().then(url => { if (url) img.src = url; });
  return h('div', img, chip);
};
const setTyping = (is, name) => {
  typing = !!is;
  $typing.hidden = !is;
  $typing.lastChild.textContent = is ? (name ? fill(T.typing, name) : T.typing_some) : '';
  if (is) bottom();
};
const unread = () => {
  let n = 0, last = 0;
  log.forEach(m => { if (m.from === 'agent') { last = Math.max(last, m.seq); if (m.seq > (S.read || 0) && !m.gone) n++; } });
  if (n && shown && doc.visibilityState === 'visible') {
    S.read = last;
    save();
    n = 0;
    call('read', { up_to: last }).catch(() => 0);
  }
  $badge.textContent = n || '';
  $badge.hidden = !n;
  attr($launch, LABEL, n ? `${T.open}, ${fill(T.unread, n)}` : T.open);
};

// --- sending: what is written is kept until the server has it; its id makes it the same message ---------------
const say = (text, more) => {
  const m = { id: 'c.' + uuid(), from: VISITOR, text, at: Date.now(), ...more };
  if (!m.blob) store(outKey(m.id), JSON.stringify(m));
  pending(m);
  flush();
};
const pending = m => put({ ...m, kind: MESSAGE, state: 'sending' });
const again = m => { m.state = 'sending'; m.error = ''; draw(m); flush(); };
const post = m => {
  const client_id = m.id.slice(2);
  if (!m.blob) return call('messages', { client_id, text: m.text, page: location.href.slice(0, 500), profile: m.profile, consents: m.consents });
  const form = new FormData();
  form.append('client_id', client_id);
  form.append('file', m.blob, m.file.name);
  return call('files', form);
};
const flush = async () => {
  if (busy) return;
  busy = true;
  let m, fails = 0;
  while ((m = [...log.values()].find(x => x.state === 'sending'))) {
    try {
      await session();
      const r = await post(m);
      drop(m);
      put({ ...(log.get(m.id) || m), seq: r.seq, at: r.at, state: 'sent' });
      fails = 0;
      if (!S.spoken || next < 0) { spoke(); view(); poll(); }
    } catch (e) {
      if (e.status === 401) {
        // The server does not know us any more: as somebody new.
        S = {};
        store(KEY, null);
      } else if (e.status < 500 && e.status !== 429) {
        // It will never take this one.
        drop(m);
        bad(m, why(e), true);
        continue;
      }
      if (++fails > 1) {
        log.forEach(x => x.state === 'sending' && bad(x, e.status && why(e)));
        retry(Math.max(e.wait || 0, 5000));
        break;
      }
      await pause(fails, e.wait);
    }
  }
  busy = false;
};
const bad = (m, error, final) => { Object.assign(m, { state: 'failed', error, final }); draw(m); };
// What failed for want of a network goes out by itself once there is one.
let retrying;
const retry = ms => {
  clearTimeout(retrying);
  retrying = later(() => log.forEach(m => m.state === 'failed' && !m.final && again(m)), ms);
};
const attach = list => {
  fail();
  for (const f of list) {
    if (f.size > C.files.largest) fail(T.too_large);
    else if (!C.files.types.includes(f.type)) fail(T.bad_type);
    else say('', { blob: f, url: URL.createObjectURL(f), file: { name: f.name, type: f.type, size: f.size } });
  }
};
let typed = 0;
const onType = () => {
  const e = $text, now = Date.now();
  fail();
  e.style.height = 'auto';
  e.style.height = Math.min(e.scrollHeight, 120) + 'px';
  if (S.spoken && e.value && now - typed > 8000) { typed = now; call('typing', { on: true }).catch(() => 0); }
};
const submit = () => {
  const text = $text.value.trim();
  if (!text) return;
  $text.value = '';
  typed = 0;
  onType();
  say(text.slice(0, C.longest_text));
};

// --- forms: before the first message, when nobody is there, and at the end ----------------------------------------
const field = (name, required) => {
  // T.name T.email T.phone T.message
  const type = { email: 'email', phone: 'tel' }[name], props = { name, required, 'aria-required': required };
  return h('label', T[name] + (required ? ' *' : ''),
    name === MESSAGE ? h('textarea', { ...props, rows: 3, maxlength: C.longest_text }) : h('input', { ...props, type, maxlength: 200, autocomplete: type || name }));
};
const form = lead => {
  const began = Date.now();
  const asked = lead ? [['name', false], ['email', true], ['phone', false]] : C.ask.map(f => [f.name, f.required]);
  const ticks = C.consents.map(c => h('label.c', h('input', { type: 'checkbox', name: 'consent_' + c.id, required: c.required }), h('span', links(c.text), c.required ? ' *' : '')));
  const said = h('p.bad', { role: 'alert' });
  const f = h('form.fm', { onsubmit: async ev => {
    ev.preventDefault();
    const v = name => (f.elements[name] ? f.elements[name].value.trim() : '') || undefined;
    const profile = { name: v('name'), email: v('email'), phone: v('phone') };
    const consents = C.consents.filter(c => f.elements['consent_' + c.id].checked)
      .map(c => ({ id: c.id, version: c.version, text_sha256: c.text_sha256, given_at: Date.now() }));
    if (!lead) return say(v(MESSAGE), { profile, consents }), view();
    const send = f.querySelector('.go');
    send.disabled = true;
    try {
      const left = C.fastest_form_ms + 300 - (Date.now() - began);
      if (left > 0) await new Promise(done => later(done, left));
      await session();
      await call('lead', { ...profile, ...origin(), message: v(MESSAGE), consents, submission_id: f.id, elapsed_ms: Date.now() - began, website: v('website') });
      spoke();
      view();
      note(T.thanks);
      poll();
    } catch (e) { said.textContent = e.status ? why(e) : T.lost; }
    send.disabled = false;
  } },
  h('p', lead ? T.leave : T.ask), asked.map(([n, r]) => field(n, r)), field(MESSAGE, true),
  h('input.x', { name: 'website', tabindex: -1, autocomplete: 'off', [HIDDEN]: 'true' }), ticks,
  C.privacy_url ? h('p.s', link(C.privacy_url, T.privacy)) : null, said,
  h('button.go', { type: 'submit' }, lead ? T.send : T.start));
  f.id = uuid();
  return f;
};
const rate = () => {
  let score = 0;
  const stars = [1, 2, 3, 4, 5].map(n => h('button.st', { 'aria-pressed': 'false', [LABEL]: `${n}/5`, onclick: () => {
    score = n;
    stars.forEach((s, i) => { attr(s, 'aria-pressed', i + 1 === n); s.textContent = i < n ? '★' : '☆'; });
    go.disabled = false;
  } }, '☆'));
  const words = h('textarea', { rows: 2, maxlength: 1000, [LABEL]: T.comment, placeholder: T.comment });
  const done = () => { $extra.replaceChildren(); view(); };
  const go = h('button.go', { disabled: true, onclick: () => tried(async () => {
    await call('rating', { client_id: uuid(), score, comment: words.value });
    done();
    note(T.rated);
  }) }, T.send);
  const box = h('div.fm', { role: 'group', [LABEL]: T.rate }, h('p', T.rate), h('div.ss', stars), words, go,
    h('button.l', { onclick: done }, T.skip));
  $foot.hidden = true;
  $extra.replaceChildren(box);
  stars[0].focus();
};
const end = async () => {
  await call('end', { client_id: uuid() });
  rate();
};
const mine = async () => {
  const all = { events: [] };
  let at = 0;
  do {
    const r = await call('me?since=' + at);
    all.visitor = r.visitor;
    all.events.push(...r.events);
    at = r.next;
  } while (at);
  h('a', { href: URL.createObjectURL(new Blob([JSON.stringify(all, null, 1)])), download: 'chat.json' }).click();
};
const erase = async () => {
  if (!confirm(T.erase_sure)) return;
  await call('me', 0, undefined, 'DELETE');
  forget();
  note(T.erased);
};

// --- the window -----------------------------------------------------------------------------------------------------
// Which of form, conversation and rating is shown.
const view = () => {
  const talk = S.spoken || log.size > 0, kind = talk ? '' : !C.online ? 'lead' : C.ask.length || C.consents.some(c => c.required) ? 'ask' : '';
  if ($kind !== kind || !kind) $extra.replaceChildren(...(kind ? [form(kind === 'lead')] : []));
  $kind = kind;
  $log.hidden = kind === 'lead';
  $foot.hidden = !!kind;
  $more.hidden = !S.spoken;
};
const menu = is => { fail(); $menu.hidden = !is; attr($more, 'aria-expanded', is); if (is) $menu.firstChild.focus(); };
// What went wrong stands until the next act.
const fail = text => { $said.textContent = text || ''; };
const toggle = is => {
  shown = is;
  $panel.hidden = !is;
  $box.classList.toggle('on', is);
  attr($launch, 'aria-expanded', is);
  if (is) {
    bottom();
    const first = $foot.hidden ? $extra.querySelector('input,textarea,button') : $text;
    (first || $panel).focus();
    unread();
  } else $launch.focus();
};
// The keyboard stays in the window while it is open.
const keys = e => {
  if (e.key === 'Escape') { e.stopPropagation(); return $menu.hidden ? toggle(false) : menu(false); }
  if (e.key !== 'Tab') return;
  const all = [...$panel.querySelectorAll('a[href],button,input,textarea,[tabindex="0"]')].filter(x => !x.disabled && x.tabIndex >= 0 && x.getClientRects().length);
  const at = $root.activeElement, end = e.shiftKey ? all[0] : all[all.length - 1];
  if (at === end || !all.includes(at)) { e.preventDefault(); (e.shiftKey ? all[all.length - 1] : all[0]).focus(); }
};
const status = () => C.online ? T.online : C.opens_at ? fill(T.back, new Date(C.opens_at).toLocaleString(C.language, { weekday: 'long', hour: '2-digit', minute: '2-digit' })) : T.offline;
const build = () => {
  const host = h('div', { id: 'kontor-chat', lang: C.language }), root = host.attachShadow({ mode: 'open' }), sheet = new CSSStyleSheet();
  sheet.replaceSync(CSS);
  root.adoptedStyleSheets = [sheet];
  $root = root;
  $hello = C.greeting ? h('div', { class: 'm a' }, h('div.b', links(C.greeting))) : h('span');
  $log = h('div.log', { role: 'log', 'aria-live': 'polite', [LABEL]: T.messages, tabindex: 0 }, $hello);
  $typing = h('div.ty', { hidden: true }, h('b', h('i'), h('i'), h('i')), h('span', { 'aria-live': 'polite' }));
  $lost = h('div.lo', { role: 'status', hidden: true }, T.lost);
  $said = h('div', { class: 'sa bad', role: 'alert' });
  $extra = h('div.ex', null);
  $text = h('textarea', { rows: 1, maxlength: C.longest_text, [LABEL]: T.write, placeholder: T.write, oninput: onType,
    onkeydown: e => { if (e.key === 'Enter' && !e.shiftKey && !e.isComposing) { e.preventDefault(); submit(); } },
    onpaste: e => { if (C.files && e.clipboardData.files.length) { e.preventDefault(); attach(e.clipboardData.files); } } });
  const pick = h('input', { type: 'file', class: 'x', tabindex: -1, [HIDDEN]: 'true', multiple: true, accept: C.files && C.files.types.join(), onchange: () => { attach(pick.files); pick.value = ''; } });
  $foot = h('form.ft', { onsubmit: e => { e.preventDefault(); submit(); } }, C.files ? [pick, button(T.attach, I.file, () => pick.click())] : [],
    $text, h('button', { type: 'submit', class: 'i go', [LABEL]: T.send, title: T.send }, icon(I.send)));
  $menu = h('div.mn', { hidden: true }, [[T.end, end], [T.mine, mine], [T.erase, erase]].map(([t, act]) => h('button', { onclick: () => { menu(false); tried(act); } }, t)));
  $more = button(T.more, I.menu, () => menu($menu.hidden), 'mo');
  $panel = h('section.pn', { role: 'dialog', [LABEL]: C.title, tabindex: -1, hidden: true, onkeydown: keys,
    ondragover: e => { if (C.files && !$foot.hidden) { e.preventDefault(); $panel.classList.add('drop'); } },
    ondragleave: () => $panel.classList.remove('drop'),
    ondrop: e => { e.preventDefault(); $panel.classList.remove('drop'); if (C.files && !$foot.hidden) attach(e.dataTransfer.files); } },
  h('header', h('div', h('h2', C.title), h('p', { class: C.online ? 'up' : '' }, status())), $more, button(T.close, I.close, () => toggle(false)), $menu),
  $lost, $log, $typing, $extra, $said, $foot);
  $badge = h('span.bd', { hidden: true });
  $launch = h('button.la', { 'aria-expanded': 'false', [LABEL]: T.open, onclick: () => toggle(!shown) }, icon(I.chat), $badge);
  $box = h('div', { class: 'box ' + C.side }, $panel, $launch);
  $box.style.setProperty('--k', C.colour);
  $box.style.setProperty('--on', C.on_colour);
  root.append($box);
  doc.body.append(host);
};
// Classes are short, as they are served: bd badge, ex extra, fm form, ft foot, la launch, lo lost, mn menu, mo more,
// pn panel, sa said, ss stars, st star, ty typing; m message, v of the visitor, b its body, t time, r reaction, n note, f file.
const CSS = `:host{all:initial}*{box-sizing:border-box}[hidden]{display:none!important}
.box{--bg:#fff;--t:#1c1f23;--s:#5b636d;--l:#dfe3e8;--w:#f2f4f6;--bad:#b3261e;font:15px/1.45 system-ui,sans-serif;color:var(--t);position:fixed;bottom:20px;right:20px;z-index:2147483000}
.left{right:auto;left:20px}
button,textarea,input{font:inherit;color:inherit}button{cursor:pointer;background:none;border:0;padding:0}
svg{width:22px;height:22px;fill:none;stroke:currentColor;stroke-width:2;stroke-linecap:round;stroke-linejoin:round;flex:none}
:focus-visible{outline:2px solid var(--t);outline-offset:2px}textarea:focus-visible,input:focus-visible{outline-width:1px;outline-offset:0;border-color:var(--t)!important}
.pn,header,.log,.f,.ty,.ft,.fm,.fm .c,.ss{display:flex}.pn,.log,.fm{flex-direction:column}header p,.n,.ty,.lo,.sa,.fm label,.s{font-size:13px}
.t,.n,.ty,::placeholder{color:var(--s)}header,.f,.ty{align-items:center}.pn,.mn,.r,textarea,input{background:var(--bg)}
.la,header,.v .b,.go{background:var(--k);color:var(--on)}h2,.f span{white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
.la,.i{display:grid;place-items:center}.i,img,textarea,input,.go{border-radius:10px}.mn,.r{border:1px solid var(--l);border-radius:12px}
.bd,.pn,.mn,.r,.x{position:absolute}
.la{width:58px;height:58px;border-radius:50%;margin-left:auto;box-shadow:0 6px 20px #0004;transition:transform .15s}.left .la{margin:0}
.la:hover{transform:scale(1.05)}.la svg{width:27px;height:27px}
.bd{right:-3px;bottom:41px;min-width:22px;padding:0 6px;border-radius:11px;background:#c62828;color:#fff;font:600 12px/22px system-ui}
.left .bd{right:auto;left:41px}
.pn{bottom:74px;right:0;width:376px;height:min(620px,calc(100vh - 110px));border-radius:16px;overflow:hidden;box-shadow:0 12px 48px #0005;animation:in .18s ease-out}
.left .pn{right:auto;left:0}@keyframes in{from{opacity:0;transform:translateY(12px)}}
header{gap:4px;padding:14px 10px 14px 18px;position:relative}
header>div:first-child{flex:1;min-width:0}h2{margin:0;font-size:17px;font-weight:650}
header p{margin:0}.up:before{content:"";display:inline-block;width:8px;height:8px;margin-right:6px;border-radius:50%;background:#4ade80;box-shadow:0 0 0 1.500px var(--on)}
.i{width:40px;height:40px;flex:none}.i:hover{background:#8883}header .i:focus-visible{outline-color:var(--on);outline-offset:-3px}
.mo svg{stroke-width:4}.mn{right:12px;top:56px;z-index:2;color:var(--t);padding:6px;box-shadow:0 8px 24px #0003}
.mn button{display:block;width:100%;text-align:left;padding:9px 14px;border-radius:8px}.mn button:hover{background:var(--w)}
.log{flex:1 1 90px;min-height:60px;overflow-y:auto;padding:16px;gap:10px;overscroll-behavior:contain}.log:focus-visible{outline-offset:-3px}
.m{max-width:84%;min-width:0;align-self:flex-start;position:relative}.m.v{align-self:flex-end}
.b{padding:9px 13px;border-radius:16px 16px 16px 5px;background:var(--w);white-space:pre-wrap;overflow-wrap:anywhere}
.v .b{border-radius:16px 16px 5px 16px;margin-left:auto;width:fit-content;max-width:100%}
.b p,.b ul,.b ol,.b pre,.b blockquote{margin:0 0 6px}.b ul,.b ol{padding-left:20px}.b blockquote{border-left:3px solid var(--s);padding-left:9px}.b code{font-family:ui-monospace,monospace;font-size:.9em}
a,.l{color:inherit;text-decoration:underline}.l{font-weight:600}
.t{font-size:12px;margin:3px 4px 0}.v .t{text-align:right}.bad{color:var(--bad)}
.r{right:-8px;bottom:14px;padding:0 5px;font-size:14px}
.n{align-self:center;text-align:center;padding:4px 12px}
.f{gap:8px;text-align:left;max-width:100%}.f span{min-width:0}.f small{white-space:nowrap;opacity:.9}
img{display:block;max-width:100%;max-height:220px;margin-bottom:6px}
.ty{padding:0 18px 10px;gap:8px}.ty b i{display:inline-block;width:6px;height:6px;margin-right:3px;border-radius:50%;background:var(--s);animation:dot 1.2s infinite}
.ty i:nth-child(2){animation-delay:.2s}.ty i:nth-child(3){animation-delay:.4s}@keyframes dot{30%{transform:translateY(-4px)}60%{transform:none}}
.lo{padding:7px 16px;background:#8a4b00;color:#fff;text-align:center}.sa{padding:0 16px}
.ft{align-items:flex-end;gap:6px;padding:10px;border-top:1px solid var(--l)}
textarea,input{width:100%;border:1px solid #868e98;padding:9px 11px;resize:none;display:block}
.ft textarea{flex:1;border-color:transparent;max-height:120px;line-height:20px;height:40px}::placeholder{opacity:1}
.go{font-weight:600}.go:hover{background:var(--k);filter:brightness(1.12)}.go:disabled{opacity:.55;cursor:default}
.ex{overflow-y:auto;flex:0 1 auto}.fm{padding:12px 16px 16px;gap:10px}.fm p{margin:0}.fm label{font-weight:600}.fm label input,.fm label textarea{margin-top:3px;font-weight:400;font-size:15px}
.fm .go{padding:11px}.fm .c{gap:9px;font-weight:400;line-height:1.4}.fm .c input{width:18px;height:18px;flex:none;margin:1px 0 0;accent-color:var(--k)}
.x{left:-9999px;width:1px;height:1px;opacity:0}.ss{justify-content:center}.st{font-size:30px;line-height:44px;width:48px;color:#9a6a00;border-radius:8px}
.drop{outline:3px dashed var(--t);outline-offset:-8px}
@media(max-width:480px){.pn{position:fixed;inset:0;width:auto;height:100vh;height:100dvh;border-radius:0}.on .la{display:none}textarea,input,.fm label input,.fm label textarea{font-size:16px}}
@media(prefers-color-scheme:dark){.box{color-scheme:dark;--bg:#1d2025;--t:#f0f2f4;--s:#a9b1bb;--l:#383d45;--w:#2b3037;--bad:#ffb4ab}.st{color:#ffca4d}}
@media(prefers-reduced-motion:reduce){*{animation:none!important;transition:none!important}}`;

// --- the beginning ------------------------------------------------------------------------------------------------------
const ready = (async () => {
  load();
  const lang = tag.dataset.lang || doc.documentElement.lang || navigator.language;
  for (let fails = 0; !C; fails++) {
    try { C = await call('config?lang=' + encodeURIComponent(lang)); } catch (e) {
      if (e.status && e.status < 500 && e.status !== 429) throw e;
      await pause(fails, e.wait);
    }
  }
  T = C.texts;
  if (!doc.body) await new Promise(done => on(doc, 'DOMContentLoaded', done));
  build();
  if (tag.dataset.identity) await session({ identity_token: tag.dataset.identity }).catch(() => 0);
  unsent().forEach(pending);
  view();
  if (S.token) poll();
  flush();
})();
ready.catch(e => console.warn('Kontor: the chat is not shown;', e.message, e.status || ''));
on(window, 'online', () => { wake(); $box && retry(0); });
on(window, 'storage', e => {
  if (e.key !== KEY || !$box) return;
  const was = S.token;
  S = {};
  load();
  if (was !== S.token) { run++; clear(); if (S.token) poll(); }
  view();
  unread();
});
on(doc, 'visibilitychange', () => { if ($box && doc.visibilityState === 'visible') { wake(); unread(); } });
window.Kontor = {
  identify: token => ready.then(() => session({ identity_token: token })).then(() => { view(); poll(); }),
  reset: () => ready.then(forget),
  open: () => ready.then(() => toggle(true)),
  close: () => ready.then(() => toggle(false)),
};
})();

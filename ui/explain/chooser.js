// A field that searches all classes: typing filters, the arrows move, Enter or a click chooses, Escape leaves.

function makeChooser(box, choose) {
  const field = box.querySelector('input');
  const list = box.querySelector('ul');
  const most = 80; // lines drawn at once
  let names = [];
  let shares = [];
  let order = []; // classes by falling probability
  let shown = [];
  let at = 0;
  let current = null;
  let taken = null; // the class in the other field, which is no choice here

  const label = () => (current === null ? '' : names[current]);

  function matches(text) {
    const wanted = text.trim().toLowerCase();
    const free = order.filter((i) => i !== taken);
    if (!wanted) return free;
    const found = free.filter((i) => names[i].toLowerCase().includes(wanted));
    const first = found.filter((i) => ` ${names[i].toLowerCase()}`.includes(` ${wanted}`)); // a word that begins so
    return [...first, ...found.filter((i) => !first.includes(i))];
  }

  function mark() {
    [...list.children].forEach((item, place) => item.setAttribute('aria-selected', String(place === at)));
    const here = list.children[at];
    if (here) {
      here.scrollIntoView({ block: 'nearest' });
      field.setAttribute('aria-activedescendant', here.id);
    }
  }

  function open(text) {
    const all = matches(text);
    shown = all.slice(0, most);
    at = 0;
    const items = shown.map((index) => {
      const item = node('li', undefined, { role: 'option', id: `${list.id}-${index}`, 'data-index': index });
      item.append(node('span', names[index]), node('b', percent(shares[index])));
      return item;
    });
    if (all.length > most) items.push(node('li', `${all.length - most} more: type to find them`, { class: 'rest' }));
    if (!all.length) items.push(node('li', 'No class has this in its name.', { class: 'rest' }));
    list.replaceChildren(...items);
    list.hidden = false;
    list.scrollTop = 0;
    field.setAttribute('aria-expanded', 'true');
    mark();
  }

  function close() {
    list.hidden = true;
    field.setAttribute('aria-expanded', 'false');
    field.removeAttribute('aria-activedescendant');
    field.value = label();
  }

  function take(index) {
    close();
    choose(index);
  }

  field.addEventListener('focus', () => field.select());
  field.addEventListener('click', () => { if (list.hidden) { field.select(); open(''); } });
  field.addEventListener('blur', close);
  field.addEventListener('input', () => open(field.value));
  field.addEventListener('keydown', (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && list.hidden) open('');
    else if (step && shown.length) { at = (at + step + shown.length) % shown.length; mark(); }
    else if (event.key === 'Enter' && !list.hidden && shown.length) take(shown[at]);
    else if (event.key === 'Escape' && !list.hidden) close();
    else return;
    event.preventDefault();
  });
  list.addEventListener('pointerdown', (event) => event.preventDefault()); // the field keeps the focus
  list.addEventListener('click', (event) => {
    const item = event.target.closest('[data-index]');
    if (item) { take(+item.dataset.index); field.blur(); }
  });

  return {
    fill(given, chances) {
      names = given;
      shares = chances;
      order = [...names.keys()].sort((a, b) => shares[b] - shares[a]);
    },
    set(index, other) { current = index; taken = other; field.value = label(); },
    focus() { field.focus(); },
  };
}

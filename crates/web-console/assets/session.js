// The data that the browser keeps until its tab closes: the control token, the selected account and the theme. Nothing of it is in
// a URL or outlives the session.

const read = (name) => {
  try {
    return sessionStorage.getItem(`console.${name}`) ?? '';
  } catch {
    return '';
  }
};

const write = (name, value) => {
  try {
    if (value) sessionStorage.setItem(`console.${name}`, value);
    else sessionStorage.removeItem(`console.${name}`);
  } catch {
    // A browser without storage asks again after a reload.
  }
};

let token = read('token');

export const session = {
  get token() {
    return token;
  },
  set token(value) {
    token = value;
    write('token', value);
  },
  get account() {
    return read('account');
  },
  set account(value) {
    write('account', value);
  },
  get theme() {
    return read('theme');
  },
  set theme(value) {
    write('theme', value);
  },
};

// A real, certified OpenID provider dressed as Pro Santé Connect; started by tests/peers/oidc_provider.py.
// usage: node server.js '{"port":..,"key":"..","cert":"..","trust":"..","clients":[{..}],"lives":{"tokens":120,"ciba":120},"people":{"<sub>":{..claims}}}'
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import Provider, { errors } from 'oidc-provider';

const wanted = JSON.parse(process.argv[2]);
const realm = '/auth/realms/esante-wallet';
const issuer = `https://localhost:${wanted.port}${realm}`;
const claimNames = [...new Set(Object.values(wanted.people).flatMap(Object.keys))];

const waiting = new Map(); // PS_IdNat -> the CIBA request and the digits on that person's phone
const subOf = (name) => Object.keys(wanted.people).find((sub) => wanted.people[sub].SubjectNameID === name);

const ciba = {
  enabled: true,
  deliveryModes: ['poll'],
  processLoginHint: (_ctx, hint) => subOf(hint),
  verifyUserCode: () => {},
  validateRequestContext: () => {},
  validateBindingMessage: (_ctx, message) => {
    if (!/^[0-9]{2}$/.test(message ?? '')) throw new errors.InvalidBindingMessage('two digits');
  },
  triggerAuthenticationDevice: (ctx, request, account) => {
    const digits = ctx.oidc.params.binding_message;
    waiting.set(wanted.people[account.accountId].SubjectNameID, { request, digits });
  },
};

const subjectOf = (ctx) => {
  const { subject } = ctx.socket.getPeerCertificate();
  return ['CN', 'OU', 'O', 'C'].map((name) => `${name}=${subject?.[name]}`).join(',');
};
const mTLS = {
  enabled: true,
  certificateBoundAccessTokens: true,
  tlsClientAuth: true,
  getCertificate: (ctx) => {
    const { raw } = ctx.socket.getPeerCertificate();
    return raw && new X509Certificate(raw).toString();
  },
  certificateAuthorized: (ctx) => ctx.socket.authorized,
  certificateSubjectMatches: (ctx, _property, expected) => subjectOf(ctx) === expected,
};

const provider = new Provider(issuer, {
  clients: wanted.clients.map((client) => ({ ...client, id_token_signed_response_alg: 'RS256' })),
  jwks: wanted.jwks,
  cookies: { keys: ['peer-only'] },
  acrValues: ['eidas1'],
  scopes: ['openid', 'scope_all'],
  claims: { openid: ['sub'], scope_all: claimNames, acr: null, auth_time: null },
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  features: {
    devInteractions: { enabled: false },
    rpInitiatedLogout: {
      enabled: true,
      // as Keycloak does: with an id_token_hint nobody is asked whether he is sure
      logoutSource: (ctx, form) => {
        ctx.body = form.replace('</form>', '<input type="hidden" name="logout" value="yes"/></form>');
      },
    },
    backchannelLogout: { enabled: true },
    jwtUserinfo: { enabled: true },
    mTLS,
    introspection: { enabled: true },
    revocation: { enabled: true },
    ciba,
  },
  extraParams: {
    channel: (_ctx, channel) => {
      if (channel !== undefined && !['CARD', 'MOBILE'].includes(channel)) throw new errors.InvalidRequest('channel');
    },
  },
  clientAuthMethods: ['client_secret_basic', 'tls_client_auth'],
  fetch: (url, { dispatcher: _refusesLoopback, ...options }) => fetch(url, options),
  responseTypes: ['code'],
  issueRefreshToken: () => true,
  rotateRefreshToken: true,
  // what PSC says of an access token in its introspection, and oidc-provider does not
  extraTokenClaims: (_ctx, token) => ({ SubjectNameID: wanted.people[token.accountId]?.SubjectNameID, acr: 'eidas1' }),
  ttl: {
    AccessToken: () => wanted.lives.tokens, IdToken: () => wanted.lives.tokens, AuthorizationCode: 60, RefreshToken: 1800, Session: 14400, Grant: 14400,
    Interaction: 600, BackchannelAuthenticationRequest: () => wanted.lives.ciba,
  },
  interactions: { url: (_ctx, interaction) => `/wallet/${interaction.uid}` },
  routes: {
    authorization: '/authorize', token: '/protocol/openid-connect/token', userinfo: '/protocol/openid-connect/userinfo',
    jwks: '/protocol/openid-connect/certs', end_session: '/protocol/openid-connect/logout',
    introspection: '/protocol/openid-connect/token/introspect', revocation: '/protocol/openid-connect/revoke',
    backchannel_authentication: '/protocol/openid-connect/ext/ciba/auth',
  },
  findAccount: (_ctx, sub) => wanted.people[sub] && { accountId: sub, claims: () => ({ ...wanted.people[sub], sub }) },
});

async function consent(grantId, accountId, clientId) {
  const grant = grantId ? await provider.Grant.find(grantId) : new provider.Grant({ accountId, clientId });
  grant.addOIDCScope('openid scope_all');
  grant.addOIDCClaims(claimNames);
  return grant.save();
}

async function wallet(request, response, url) {
  const details = await provider.interactionDetails(request, response);
  const person = url.searchParams.get('person');
  if (details.prompt.name === 'login' && !person) {
    response.setHeader('content-type', 'text/html');
    response.end('<form method="get"><input name="person"/></form>');
    return;
  }
  const accountId = person ?? details.session.accountId;
  const grantId = await consent(details.grantId, accountId, details.params.client_id);
  const result = { consent: { grantId } };
  if (person) result.login = { accountId, acr: 'eidas1', amr: ['sc', 'pin'] };
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
}

async function phone(response, url) {
  const name = url.searchParams.get('person');
  const { request, digits } = waiting.get(name) ?? {};
  waiting.delete(name);
  if (!request || digits !== url.searchParams.get('digits')) {
    response.statusCode = 404;
  } else if (url.searchParams.get('decision') === 'approve') {
    const grantId = await consent(undefined, request.accountId, request.clientId);
    const authTime = Math.floor(Date.now() / 1000);
    await provider.backchannelResult(request, grantId, { acr: 'eidas1', amr: ['swk', 'pin'], authTime });
  } else {
    await provider.backchannelResult(request, new errors.AccessDenied('refused on the phone'));
  }
  response.end();
}

async function logouts(response, url) {
  const client = await provider.Client.find(url.searchParams.get('client'));
  client.backchannelLogoutUri = url.searchParams.get('address');
  response.end();
}

async function lives(response, url) {
  for (const [what, seconds] of url.searchParams) wanted.lives[what] = Number(seconds);
  response.end();
}

const callback = provider.callback();
const tls = {
  key: readFileSync(wanted.key), cert: readFileSync(wanted.cert), ca: readFileSync(wanted.trust),
  requestCert: true, rejectUnauthorized: false, // the provider judges, as Keycloak's `request`
};
const controls = { '/control/phone': phone, '/control/logouts': logouts, '/control/lives': lives };
createServer(tls, (request, response) => {
  const url = new URL(request.url, issuer);
  const failed = (error) => { response.statusCode = 500; response.end(String(error)); };
  if (url.pathname in controls) {
    controls[url.pathname](response, url).catch(failed);
    return;
  }
  if (url.pathname.startsWith('/wallet/')) {
    wallet(request, response, url).catch(failed);
    return;
  }
  if (url.pathname.startsWith(realm)) {
    request.originalUrl = request.url;
    request.url = request.url.slice(realm.length).replace('wallet-openid-configuration', 'openid-configuration');
  }
  callback(request, response);
}).listen(wanted.port, '127.0.0.1', () => console.log('ready'));

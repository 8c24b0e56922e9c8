// A real, certified OpenID provider dressed as Pro Santé Connect, for tests/auth/test_peer_oidc_provider.py.
// usage: node server.js '{"port":..,"key":"..","cert":"..","clients":[{..}],"people":{"<sub>":{..claims}}}'
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import Provider, { errors } from 'oidc-provider';

const wanted = JSON.parse(process.argv[2]);
const realm = '/auth/realms/esante-wallet';
const issuer = `https://localhost:${wanted.port}${realm}`;
const claimNames = [...new Set(Object.values(wanted.people).flatMap(Object.keys))];

const waiting = new Map(); // PS_IdNat -> the CIBA request on that person's phone
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
  triggerAuthenticationDevice: (_ctx, request, account) => {
    waiting.set(wanted.people[account.accountId].SubjectNameID, request);
  },
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
    rpInitiatedLogout: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
    ciba,
  },
  extraParams: {
    channel: (_ctx, channel) => {
      if (channel !== undefined && !['CARD', 'MOBILE'].includes(channel)) throw new errors.InvalidRequest('channel');
    },
  },
  responseTypes: ['code'],
  issueRefreshToken: () => true,
  rotateRefreshToken: true,
  // what PSC says of an access token in its introspection, and oidc-provider does not
  extraTokenClaims: (_ctx, token) => ({ SubjectNameID: wanted.people[token.accountId]?.SubjectNameID, acr: 'eidas1' }),
  ttl: {
    AccessToken: 120, IdToken: 120, AuthorizationCode: 60, RefreshToken: 1800, Session: 14400, Grant: 14400,
    Interaction: 600, BackchannelAuthenticationRequest: 120,
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
    response.end('choose a person');
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
  const request = waiting.get(name);
  waiting.delete(name);
  if (!request) {
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

const callback = provider.callback();
const tls = { key: readFileSync(wanted.key), cert: readFileSync(wanted.cert) };
createServer(tls, (request, response) => {
  const url = new URL(request.url, issuer);
  const failed = (error) => { response.statusCode = 500; response.end(String(error)); };
  if (url.pathname === '/wallet/phone') {
    phone(response, url).catch(failed);
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

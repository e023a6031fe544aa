// The app registration of the MCP server https://mcp.example.com/mcp, for mcp-entra.
// Deploy it with: az deployment group create --resource-group <group> --template-file
// <this file>. Lists are set as they are here: redirect URIs that were added by hand go.
//
// ChatGPT: newer connectors have a redirect URI of their own,
// https://chatgpt.com/connector/oauth/…, which ChatGPT shows when the connector
// is made.
//
// Once, after the first deployment, give it the Application ID URI; a template cannot
// name the client id that it makes. <clientId> is in the outputs.
// az ad app update --id <clientId> --identifier-uris api://<clientId>
// Then print this file again with --client-id <clientId>.
//
// A template cannot make the client secret that redirect URIs on the Web platform need:
// az ad app credential reset --id <clientId> --append \
//   --display-name mcp-entra --years 1 --query password --output tsv > mcp-entra-client-secret
//
// Serve with it, --upstream being your MCP server:
// MCP_ENTRA_CLIENT_SECRET_FILE=mcp-entra-client-secret \
// mcp-entra serve \
//   --resource https://mcp.example.com/mcp \
//   --upstream http://127.0.0.1:9000/mcp \
//   --tenant 11111111-2222-4333-8444-555555555555 \
//   --client-id <clientId>

extension 'br:mcr.microsoft.com/bicep/extensions/microsoftgraph/v1.0:1.0.0'

resource application 'Microsoft.Graph/applications@v1.0' = {
  // what the deployment knows it by; it can never be changed
  uniqueName: 'mcp-entra-mcp-example-com-mcp'
  api: {
    oauth2PermissionScopes: [
      {
        adminConsentDescription: 'MCP clients may call mcp.example.com/mcp on behalf of the signed-in user, with access_as_user.'
        adminConsentDisplayName: 'Access mcp.example.com/mcp as the user'
        id: '0630377e-2b4a-5d9d-bd6b-aca7d252b9ce'
        isEnabled: true
        type: 'User'
        userConsentDescription: 'MCP clients may call mcp.example.com/mcp on your behalf, with access_as_user.'
        userConsentDisplayName: 'Access mcp.example.com/mcp as you'
        value: 'access_as_user'
      }
    ]
    requestedAccessTokenVersion: 2
  }
  displayName: 'MCP server mcp.example.com/mcp'
  isFallbackPublicClient: true
  publicClient: {
    redirectUris: [
      'cursor://anysphere.cursor-mcp/oauth/callback'
      'http://localhost/callback'
      'http://127.0.0.1/'
      'http://127.0.0.1:33418/'
    ]
  }
  signInAudience: 'AzureADMyOrg'
  web: {
    redirectUris: [
      'https://www.cursor.com/agents/mcp/oauth/callback'
      'https://vscode.dev/redirect'
      'https://insiders.vscode.dev/redirect'
      'https://claude.ai/api/mcp/auth_callback'
      'https://claude.com/api/mcp/auth_callback'
      'https://chatgpt.com/connector_platform_oauth_redirect'
    ]
  }
}

resource servicePrincipal 'Microsoft.Graph/servicePrincipals@v1.0' = {
  appId: application.appId
}

output clientId string = application.appId
output tenantId string = tenant().tenantId

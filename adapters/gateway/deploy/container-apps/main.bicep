// mcp-entra in front of an MCP server, two containers of one app on Azure Container Apps.
//
//   az deployment group create --resource-group RG --template-file main.bicep \
//       --parameters name=notes clientId=CLIENT gatewayImage=REGISTRY/mcp-entra:TAG serverImage=REGISTRY/notes:TAG
//
// The containers of an app share 127.0.0.1, and ingress leads to mcp-entra alone: nobody reaches
// the MCP server around it, as long as that listens on 127.0.0.1.

@description('Name of the container app')
@minLength(2)
@maxLength(32)
param name string

param location string = resourceGroup().location

@description('Directory (tenant) ID')
param tenantId string = tenant().tenantId

@description('Application (client) ID of the app registration')
param clientId string

@description('Client secret, for clients with https redirect URIs; may be left out')
@secure()
param clientSecret string = ''

@description('Image of mcp-entra, made by adapters/gateway/deploy/docker/Dockerfile')
param gatewayImage string

@description('Image of the MCP server')
param serverImage string

@description('Where the MCP server listens: on 127.0.0.1, at another port than 8080')
param serverUrl string = 'http://127.0.0.1:9000/mcp'

@description('Public URL of the MCP endpoint, where it is not that of the container app')
param resourceUrl string = ''

@description('Registry of both images, such as contoso.azurecr.io; a public one may be left out')
param registry string = ''

@description('Resource ID of a user-assigned identity with the role AcrPull on the registry')
param registryIdentity string = ''

@description('0 costs nothing while nobody calls, and makes the first call wait')
@minValue(0)
param minReplicas int = 1

@description('An MCP server that keeps sessions in memory allows one; a stateless one allows more')
@minValue(1)
param maxReplicas int = 1

var secretName = 'entra-client-secret'
var hasSecret = !empty(clientSecret)

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' = {
  name: '${name}-logs'
  location: location
  properties: {
    sku: { name: 'PerGB2018' }
    retentionInDays: 30
  }
}

resource environment 'Microsoft.App/managedEnvironments@2024-03-01' = {
  name: '${name}-env'
  location: location
  properties: {
    appLogsConfiguration: {
      destination: 'log-analytics'
      logAnalyticsConfiguration: {
        customerId: workspace.properties.customerId
        sharedKey: workspace.listKeys().primarySharedKey
      }
    }
  }
}

// Authentication (Easy Auth) is off: mcp-entra signs users in and checks every token itself. Where
// it has to be on, set unauthenticatedClientAction to AllowAnonymous, or clients never reach the
// metadata they sign in by.
resource app 'Microsoft.App/containerApps@2024-03-01' = {
  name: name
  location: location
  identity: empty(registryIdentity) ? { type: 'None' } : {
    type: 'UserAssigned'
    userAssignedIdentities: { '${registryIdentity}': {} }
  }
  properties: {
    managedEnvironmentId: environment.id
    configuration: {
      activeRevisionsMode: 'Single'
      ingress: {
        external: true
        allowInsecure: false
        targetPort: 8080
        transport: 'http'
        // no corsPolicy here: with it the platform answers preflight requests itself, and wrongly
        // for a sign-in
      }
      registries: empty(registry) ? [] : [
        {
          server: registry
          identity: registryIdentity
        }
      ]
      secrets: hasSecret ? [
        {
          name: secretName
          value: clientSecret
        }
      ] : []
    }
    template: {
      // open streams have 20 seconds to end
      terminationGracePeriodSeconds: 30
      scale: {
        minReplicas: minReplicas
        maxReplicas: maxReplicas
      }
      containers: [
        {
          name: 'mcp-entra'
          image: gatewayImage
          args: ['serve']
          resources: {
            cpu: json('0.25')
            memory: '0.5Gi'
          }
          env: concat([
            { name: 'MCP_ENTRA_LISTEN', value: '0.0.0.0:8080' }
            { name: 'MCP_ENTRA_UPSTREAM', value: serverUrl }
            { name: 'MCP_ENTRA_TENANT', value: tenantId }
            { name: 'MCP_ENTRA_CLIENT_ID', value: clientId }
            { name: 'MCP_ENTRA_LOG_FORMAT', value: 'json' }
          ], empty(resourceUrl) ? [] : [
            { name: 'MCP_ENTRA_RESOURCE', value: resourceUrl }
          ], hasSecret ? [
            { name: 'MCP_ENTRA_CLIENT_SECRET', secretRef: secretName }
          ] : [])
          probes: [
            {
              type: 'Liveness'
              httpGet: { path: '/healthz', port: 8080 }
              periodSeconds: 10
            }
            {
              type: 'Readiness'
              httpGet: { path: '/readyz', port: 8080 }
              periodSeconds: 5
              failureThreshold: 3
            }
          ]
        }
        {
          name: 'server'
          image: serverImage
          resources: {
            cpu: json('0.5')
            memory: '1Gi'
          }
          env: [
            // for servers that ask; it is not mcp-entra's
            { name: 'PORT', value: '9000' }
          ]
        }
      ]
    }
  }
}

@description('What users give their MCP clients')
output url string = empty(resourceUrl) ? 'https://${app.properties.configuration.ingress.fqdn}/mcp' : resourceUrl
